/**
 * Between the watch, which does not wait, and a reader that may be slow: what was not taken is merged, so memory is bounded by the size of
 * the set, and the reader still ends up with the right one.
 */
import type { WatchItem, WatchUpdate } from './view.ts'

/** So many changes are kept apart for a reader that is busy for a moment. */
const LONGEST = 256

export interface WatchQueue {
  push(item: WatchItem): void
  /** The reader gets what is here, then this error. */
  fail(error: Error): void
  /** `undefined`: the signal was aborted. */
  take(signal: AbortSignal): Promise<WatchItem | undefined>
}

export function createWatchQueue(): WatchQueue {
  const items: WatchItem[] = []
  let failure: Error | undefined
  let wake: (() => void) | undefined

  return {
    push(item) {
      const last = items.length < LONGEST ? undefined : items.pop()
      items.push(last === undefined ? item : merge(last, item))
      wake?.()
    },
    fail(error) {
      failure ??= error
      wake?.()
    },
    async take(signal) {
      while (!signal.aborted) {
        const item = items.shift()
        if (item !== undefined) return item
        if (failure !== undefined) throw failure
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = () => {
          resolve()
        }
        signal.addEventListener('abort', wake, { once: true })
        await promise
        signal.removeEventListener('abort', wake)
      }
      return undefined
    },
  }
}

/** Both changes as one: of each key the last. */
function merge(earlier: WatchItem, later: WatchItem): WatchItem {
  const byKey = new Map<string, WatchUpdate>()
  for (const update of [...earlier.updates, ...later.updates]) {
    byKey.delete(update.key)
    byKey.set(update.key, update)
  }
  return { revision: later.revision, updates: [...byKey.values()] }
}
