/**
 * A queue of keys (the dirty and processing sets of client-go's workqueue): a key is never handed out twice at once,
 * and one that is added while it is being worked on comes again afterwards. Adding a waiting key is free, so any number of
 * changes before a run cost one run.
 */
export class WorkQueue<Key extends string = string> {
  readonly #waiting = new Set<Key>()
  readonly #processing = new Set<Key>()
  readonly #again = new Set<Key>()
  readonly #timers = new Map<Key, { readonly timer: NodeJS.Timeout; readonly dueMs: number }>()
  readonly #onReady: () => void
  #closed = false

  /** `onReady` is called, synchronously, whenever a key can be taken that could not before. */
  constructor(onReady: () => void) {
    this.#onReady = onReady
  }

  add(key: Key): void {
    if (this.#closed) return
    this.#clearTimer(key)
    if (this.#processing.has(key)) {
      this.#again.add(key)
      return
    }
    if (this.#waiting.has(key)) return
    this.#waiting.add(key)
    this.#onReady()
  }

  /** Adds the key after `delayMs`; of two delays the shorter counts, and `add` overtakes both. */
  addAfter(key: Key, delayMs: number): void {
    if (this.#closed || this.#waiting.has(key)) return
    const dueMs = performance.now() + delayMs
    const earlier = this.#timers.get(key)
    if (earlier !== undefined && earlier.dueMs <= dueMs) return
    this.#clearTimer(key)
    const timer = setTimeout(() => {
      this.#timers.delete(key)
      this.add(key)
    }, delayMs)
    this.#timers.set(key, { timer, dueMs })
  }

  /** The next key, in order of arrival; it counts as processing until `done`. */
  take(): Key | undefined {
    const next = this.#waiting.values().next()
    if (next.done === true) return undefined
    this.#waiting.delete(next.value)
    this.#processing.add(next.value)
    return next.value
  }

  done(key: Key): void {
    this.#processing.delete(key)
    if (this.#again.delete(key)) this.add(key)
  }

  /** Keys that wait, delayed ones not counted. */
  get depth(): number {
    return this.#waiting.size
  }

  /** No key waits, is delayed or is being worked on. */
  get idle(): boolean {
    return this.#waiting.size === 0 && this.#processing.size === 0 && this.#timers.size === 0
  }

  /** Forgets everything and accepts nothing more. */
  close(): void {
    this.#closed = true
    for (const key of this.#timers.keys()) this.#clearTimer(key)
    this.#waiting.clear()
    this.#again.clear()
  }

  #clearTimer(key: Key): void {
    const pending = this.#timers.get(key)
    if (pending === undefined) return
    clearTimeout(pending.timer)
    this.#timers.delete(key)
  }
}
