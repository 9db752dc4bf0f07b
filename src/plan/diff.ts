/**
 * diff: what is wanted against what is there, key by key. Pure. Keeps: S6 (a key that is not on one of our leases is neither put
 * nor deleted), S8 and S12 (a key that is right already is in no operation).
 */
import type { Entry } from '../etcd/kv.ts'
import { ownedLeases, type Observed } from './observed.ts'

export interface Diff {
  /** Keys to put: new ones, changed ones, and right ones whose lease is lost or of another duration. Value by key. */
  readonly puts: ReadonlyMap<string, string>
  readonly deletes: readonly string[]
  /** Owned keys that stay as they are: right ones, and retained ones. */
  readonly keeps: readonly Entry[]
  /** Wanted keys that somebody else wrote: left alone. */
  readonly foreign: readonly string[]
}

/** @param retains whether an owned key that is not wanted stays all the same */
export function diff(
  values: ReadonlyMap<string, string>,
  observed: Observed,
  leaseDurationSeconds: number,
  retains: (key: string) => boolean,
): Diff {
  const puts = new Map<string, string>()
  const deletes: string[] = []
  const keeps: Entry[] = []
  const foreign: string[] = []
  const ours = ownedLeases(observed)
  const owned = (entry: Entry): boolean => entry.lease !== null && ours.has(entry.lease)
  for (const [key, value] of values) {
    const entry = observed.entries.get(key)
    if (entry === undefined) puts.set(key, value)
    else if (!owned(entry)) foreign.push(key)
    else if (equalsUtf8(entry.value, value) && leaseServes(observed, entry, leaseDurationSeconds)) keeps.push(entry)
    else puts.set(key, value)
  }
  for (const entry of observed.entries.values()) {
    if (values.has(entry.key) || !owned(entry)) continue
    if (retains(entry.key)) keeps.push(entry)
    else deletes.push(entry.key)
  }
  return { puts, deletes, keeps, foreign }
}

/** True where the lease may keep its keys: not known to be lost, and granted for the duration that the spec asks for now. */
function leaseServes(observed: Observed, entry: Entry, leaseDurationSeconds: number): boolean {
  const lease = entry.lease === null ? undefined : observed.leases.get(entry.lease)
  return lease !== undefined && lease.health !== 'lost' && lease.ttlSeconds === leaseDurationSeconds
}

const encoder = new TextEncoder()

/** Compares without a copy while both are ASCII, as nearly all values are. */
export function equalsUtf8(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x80) return equalBytes(bytes, encoder.encode(text))
    if (bytes[i] !== unit) return false
  }
  return bytes.length === text.length
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
