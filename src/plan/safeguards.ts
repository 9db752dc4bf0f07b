/**
 * safeguards: filters over a computed diff. Each takes operations out and says why; none ever adds one. Keeps: S10 (an address that
 * moved from one service to another is put for the second only when the first has let go of it).
 */
import type { Diff } from './diff.ts'
import type { ServiceKey } from './sources.ts'

export interface Held {
  readonly key: string
  /** The service that must act first. */
  readonly waitsFor: ServiceKey
}

export interface Guarded {
  readonly diff: Diff
  readonly held: readonly Held[]
}

/**
 * Holds a put while another service still has a key with that address although its own source of it is gone: the address was
 * given to a new Pod, and a client of the first service would reach the second one's server. A key that is there already is not held:
 * whatever harm it does is done, and a plan that overlooks an own key would let go of its lease.
 *
 * @param staleHolder the service, if any, that still has this key's address without wanting it
 */
export function guard(
  diff: Diff,
  present: ReadonlyMap<string, unknown>,
  staleHolder: (key: string) => ServiceKey | null,
): Guarded {
  const held: Held[] = []
  const puts = new Map<string, string>()
  for (const [key, value] of diff.puts) {
    const waitsFor = present.has(key) ? null : staleHolder(key)
    if (waitsFor === null) puts.set(key, value)
    else held.push({ key, waitsFor })
  }
  return held.length === 0 ? { diff, held } : { diff: { ...diff, puts }, held }
}
