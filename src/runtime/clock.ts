/** Time as a dependency: what waits or measures takes a `Clock`, so that its tests need no real time. */
import { setTimeout as sleep } from 'node:timers/promises'

export interface Clock {
  /** Wall clock, for what people read. */
  now(): Date
  /** Monotonic milliseconds, for durations; unrelated to the wall clock. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await sleep(ms, undefined, { signal })
  },
}
