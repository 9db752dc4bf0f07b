/**
 * Between the watch, which does not wait, and a reader that may be slow: what is not taken in time is merged, so memory is bounded by the
 * sizes of the set that the reader knows and of the present one, and the reader still ends up with the right one.
 */
import type { WatchItem, WatchUpdate } from './view.ts'

/** So many changes are kept apart for a reader that is busy for a moment. */
const LONGEST = 255

export interface WatchQueue {
  push(item: WatchItem): void
  /** The reader gets what is here, then this error. */
  fail(error: Error): void
  /** `undefined`: the signal was aborted. */
  take(signal: AbortSignal): Promise<WatchItem | undefined>
}

export function createWatchQueue(): WatchQueue {
  const items: WatchItem[] = []
  /** What the reader knows when it has taken all items. */
  const known = new Set<string>()
  /** What came after the last item, of each key the last. */
  const rest = new Map<string, WatchUpdate>()
  let restRevision = 0
  let failure: Error | undefined
  let wake: (() => void) | undefined

  function append(item: WatchItem): void {
    items.push(item)
    for (const { op, key } of item.updates) {
      if (op === 'add') known.add(key)
      else known.delete(key)
    }
  }

  function merge({ revision, updates }: WatchItem): void {
    restRevision = revision
    for (const update of updates) {
      rest.delete(update.key)
      // The reader never heard of a key that came and went.
      if (update.op === 'add' || known.has(update.key)) rest.set(update.key, update)
    }
  }

  return {
    push(item) {
      if (rest.size === 0 && items.length < LONGEST) append(item)
      else merge(item)
      wake?.()
    },
    fail(error) {
      failure ??= error
      wake?.()
    },
    async take(signal) {
      while (!signal.aborted) {
        if (items.length === 0 && rest.size > 0) {
          append({ revision: restRevision, updates: [...rest.values()] })
          rest.clear()
        }
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
