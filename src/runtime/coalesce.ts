/**
 * Many who want the same answer share one run of it. Whoever asks while a run is under way shares the next one: its answer is then
 * younger than the question.
 */

interface Run<T> {
  join(signal: AbortSignal): Promise<T>
}

/** A run is aborted when all who share it have left; one that leaves gets its signal's reason. */
export function coalesce<T>(run: (signal: AbortSignal) => Promise<T>): (signal: AbortSignal) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  /** The one that has not begun. */
  let next: Run<T> | undefined

  function prepare(): Run<T> {
    const abandoned = new AbortController()
    let members = 0
    const forget = (): void => {
      if (next === prepared) next = undefined
    }
    const answer = last.then(async () => {
      forget()
      abandoned.signal.throwIfAborted()
      return run(abandoned.signal)
    })
    last = answer.catch(() => undefined)
    const prepared: Run<T> = {
      async join(signal) {
        const left = Promise.withResolvers<never>()
        const leave = (): void => {
          left.reject(signal.reason)
          members -= 1
          if (members > 0) return
          forget()
          abandoned.abort(signal.reason)
        }
        members += 1
        signal.addEventListener('abort', leave, { once: true })
        try {
          return await Promise.race([answer, left.promise])
        } finally {
          signal.removeEventListener('abort', leave)
        }
      },
    }
    return prepared
  }

  return async (signal) => {
    signal.throwIfAborted()
    next ??= prepare()
    return next.join(signal)
  }
}
