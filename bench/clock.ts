/**
 * One clock for all processes of a bench: the machine's monotonic one (`CLOCK_MONOTONIC`), which every process reads alike, unlike
 * `performance.now()`, and which nobody sets, unlike `Date.now()`. Milliseconds since some moment before all of them.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
