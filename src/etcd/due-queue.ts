/** Keys with a due time each, the earliest first: a binary heap in which a key that was set again leaves its old place to be skipped. */
export class DueQueue<Key> {
  readonly #dueMs = new Map<Key, number>()
  readonly #heap: { readonly key: Key; readonly dueMs: number }[] = []

  /** A key has one due time: the last one set. */
  set(key: Key, dueMs: number): void {
    this.#dueMs.set(key, dueMs)
    const heap = this.#heap
    let at = heap.push({ key, dueMs }) - 1
    for (;;) {
      const parent = (at - 1) >> 1
      if (at === 0 || this.#at(parent) <= this.#at(at)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  delete(key: Key): void {
    this.#dueMs.delete(key)
  }

  /** Removes and returns the key that is due longest at `nowMs`; `undefined` if none is. */
  takeDue(nowMs: number): Key | undefined {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || first.dueMs > nowMs) return undefined
      this.#removeFirst()
      if (this.#dueMs.get(first.key) !== first.dueMs) continue
      this.#dueMs.delete(first.key)
      return first.key
    }
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    heap[0] = last
    let at = 0
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const least = this.#at(right) < this.#at(left) ? right : left
      if (this.#at(at) <= this.#at(least)) return
      this.#swap(at, least)
      at = least
    }
  }

  #at(index: number): number {
    return this.#heap[index]?.dueMs ?? Infinity
  }

  #swap(a: number, b: number): void {
    const [x, y] = [this.#heap[a], this.#heap[b]]
    if (x === undefined || y === undefined) return
    this.#heap[a] = y
    this.#heap[b] = x
  }
}
