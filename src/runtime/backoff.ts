/** Exponential backoff with full jitter on its upper half: retries of many keys spread out, none comes at once. */

export interface Backoff {
  /** Milliseconds to wait before the next try; doubles with each call up to the maximum. */
  next(): number
  /** After a success: the next wait is the first one again. */
  reset(): void
}

export function createBackoff(firstMs: number, maximumMs: number, random: () => number = Math.random): Backoff {
  let attempt = 0
  return {
    next() {
      const full = Math.min(maximumMs, firstMs * 2 ** attempt)
      attempt += 1
      return full / 2 + random() * (full / 2)
    },
    reset() {
      attempt = 0
    },
  }
}
