/** What the plan compares with: one target as it stands in etcd, and whose keys those are. */
import type { Entry, LeaseId, Revision } from '../etcd/kv.ts'
import type { StoredRecord } from './record.ts'

/**
 * What this process knows of a lease. `unknown`: not renewed by us yet, so its keys count as alive but none is added to it.
 */
export type LeaseHealth = 'alive' | 'unknown' | 'lost'

export interface OwnLease {
  readonly id: LeaseId
  readonly ttlSeconds: number
  readonly health: LeaseHealth
}

export interface Observed {
  /** All keys under `<target>/`, foreign ones too. */
  readonly entries: ReadonlyMap<string, Entry>
  /** The newest revision up to which every put under the target is known: what the range guard compares with (S2). */
  readonly revision: Revision
  /** The service's own Record; `null` before its first commit. */
  readonly record: StoredRecord | null
  /** Records of GrpcServices that are proven gone and had the same target: their leases are taken over (Succession). */
  readonly predecessors: readonly StoredRecord[]
  /** Every lease of `record` and `predecessors`, and those granted for this service that no Record names yet. */
  readonly leases: ReadonlyMap<LeaseId, OwnLease>
}

/** The leases whose keys are the service's own: ownership of a key = its lease stands in the service's Record (SPEC.md, 2.7). */
export function ownedLeases(observed: Observed): ReadonlySet<LeaseId> {
  const records = observed.record === null ? observed.predecessors : [observed.record, ...observed.predecessors]
  return new Set(records.flatMap((record) => record.leases.map((lease) => lease.id)))
}
