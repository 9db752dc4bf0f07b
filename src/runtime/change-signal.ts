/** Wakes who waits for the next change; changes that nobody waits for are forgotten. */
export interface ChangeSignal {
  notify(): void
  /** Resolves at the next change, or when the signal is aborted. */
  next(signal: AbortSignal): Promise<void>
}

export function createChangeSignal(): ChangeSignal {
  let waiting = Promise.withResolvers<void>()
  return {
    notify() {
      waiting.resolve()
      waiting = Promise.withResolvers<void>()
    },
    async next(signal) {
      if (signal.aborted) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const wake = (): void => resolve()
      signal.addEventListener('abort', wake, { once: true })
      await Promise.race([waiting.promise, promise])
      signal.removeEventListener('abort', wake)
    },
  }
}
