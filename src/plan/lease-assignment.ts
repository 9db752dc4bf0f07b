/**
 * Which lease each put goes to. A service has as many leases as its keys need at `KEYS_PER_LEASE` each; growing never moves a key
 * that is already there. Keeps: S11 (≤ 250 keys a lease), S8 (a changed value stays on its lease), and the rule that a plan names
 * only leases whose renewal this process has seen acknowledged.
 */
import type { LeaseId } from '../etcd/kv.ts'
import type { Diff } from './diff.ts'
import type { Observed } from './observed.ts'

/** Under RBAC a put costs etcd 3.5 time in proportion to the keys on its lease: 256 keys 0.2 s, 2,048 keys a time-out. */
export const KEYS_PER_LEASE = 250

export type LeaseAssignment =
  | { readonly kind: 'assigned'; readonly leases: ReadonlyMap<string, LeaseId> }
  /** So many more leases must be granted first. */
  | { readonly kind: 'missing'; readonly count: number }
  /** Leases with room exist whose first renewal is still on its way. */
  | { readonly kind: 'unknown' }

/** `diff` names the puts, and the keys that take up room: also those to be deleted, which a split plan deletes in a later Txn. */
export function assignLeases(diff: Diff, observed: Observed, leaseDurationSeconds: number): LeaseAssignment {
  const room = new Map<LeaseId, number>()
  let unknown = false
  for (const lease of observed.leases.values()) {
    if (lease.ttlSeconds !== leaseDurationSeconds || lease.health === 'lost') continue
    if (lease.health === 'unknown') unknown = true
    else room.set(lease.id, KEYS_PER_LEASE)
  }
  for (const entry of diff.keeps) take(room, entry.lease)
  for (const key of diff.deletes) take(room, observed.entries.get(key)?.lease ?? null)

  const leases = new Map<string, LeaseId>()
  const moving: string[] = []
  for (const key of diff.puts.keys()) {
    const present = observed.entries.get(key)?.lease ?? null
    if (present !== null && take(room, present)) leases.set(key, present)
    else moving.push(key)
  }
  const free = [...room].flatMap(([id, count]) => Array.from({ length: Math.min(count, moving.length) }, () => id))
  for (const [position, key] of moving.entries()) {
    const lease = free[position]
    if (lease !== undefined) leases.set(key, lease)
  }
  const shortage = moving.length - free.length
  if (shortage <= 0) return { kind: 'assigned', leases }
  return unknown ? { kind: 'unknown' } : { kind: 'missing', count: Math.ceil(shortage / KEYS_PER_LEASE) }
}

function take(room: Map<LeaseId, number>, lease: LeaseId | null): boolean {
  const left = lease === null ? undefined : room.get(lease)
  if (lease === null || left === undefined || left <= 0) return false
  room.set(lease, left - 1)
  return true
}
