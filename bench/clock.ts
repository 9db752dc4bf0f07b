/**
 * One clock for all our processes of a bench: the machine's monotonic one (`CLOCK_MONOTONIC`), which every process reads alike, unlike
 * `performance.now()`, and which nobody sets, unlike `Date.now()`. Milliseconds since some moment before all of them.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/**
 * Milliseconds since 1970, to the microsecond: the clock that we share with a program in Go. A process reads it at its start and goes on by
 * the monotonic one, so nobody may set it during a bench.
 */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}
