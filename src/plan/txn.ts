/**
 * txn: from a diff to the child Txn of one service. One service = one Txn = one picture for every client (S7); what does not fit in
 * one goes in steps, each compiled anew from what is then observed: first the Record with all its leases and puts, then puts,
 * then deletes. Keeps: S2 (the guards), S7, S11 (the Record brackets its leases).
 */
import type { Compare, LeaseId, Op, Txn } from '../etcd/kv.ts'
import { targetRange } from '../naming/key.ts'
import type { Diff } from './diff.ts'
import { ownedLeases, type Observed } from './observed.ts'
import { encodeRecord, recordKey, type RecordLease, type ServiceRecord, type StoredRecord } from './record.ts'
import type { ServiceKey } from './sources.ts'

/** Operations one Txn of nested Txns can hold at etcd's default of 128 a Txn: 64 × 64. */
export const MAX_OPS = 4096
/** Under the key guard every operation brings a compare with it, and compares can not be nested away. */
const MAX_OPS_KEY_GUARD = 100
/** etcd refuses a request over 1.5 MiB; the rest is for what the wire adds. */
export const MAX_BYTES = 1_200_000
/** What an operation or compare costs on the wire beside its key and value, generously. */
const OVERHEAD_BYTES = 48

/** Whose service this is for, and what its Record is to say afterwards. */
export interface Owner {
  readonly statePrefix: string
  readonly uid: string
  readonly service: ServiceKey
  readonly target: string
  /** The GrpcService is gone: with its last key goes its Record. */
  readonly retired: boolean
}

/** How the Txn proves that its picture of the target is the present one. */
export type GuardKind =
  /** No key of the target is newer than what was observed: sees everything. */
  | 'range'
  /** Only the keys touched are as observed: for a target that an application writes to all the time. */
  | 'keys'

export interface RecordChange {
  readonly puts: readonly { readonly key: string; readonly value: string; readonly lease: null }[]
  readonly deletes: readonly string[]
}

export interface ServiceTxn {
  readonly txn: Txn
  readonly puts: ReadonlyMap<string, { readonly value: string; readonly lease: LeaseId }>
  readonly deletes: readonly string[]
  /** What happens to Records in the same Txn. */
  readonly records: RecordChange
  readonly guard: GuardKind
  /** Operations, Record included: what the Txn counts against etcd's limit. */
  readonly opCount: number
  readonly byteSize: number
}

export function compile(
  owner: Owner,
  diff: Diff,
  leases: ReadonlyMap<string, LeaseId>,
  observed: Observed,
  guardKind: GuardKind,
): ServiceTxn {
  const recordOps = 1 + observed.predecessors.length
  const step = firstStep(diff, recordOps, guardKind === 'range' ? MAX_OPS : MAX_OPS_KEY_GUARD)
  const puts = new Map<string, { readonly value: string; readonly lease: LeaseId }>()
  for (const [key, value] of step.puts) {
    const lease = leases.get(key)
    if (lease !== undefined) puts.set(key, { value, lease })
  }
  const records = changeRecord(owner, nextLeases(diff, leases, observed, step.complete), observed, step.complete)
  const success: Op[] = []
  for (const [key, { value, lease }] of puts) success.push({ kind: 'put', key, value, lease })
  for (const key of step.deletes) success.push({ kind: 'delete', key })
  for (const put of records.puts) success.push({ kind: 'put', ...put })
  for (const key of records.deletes) success.push({ kind: 'delete', key })
  const compare = [
    ...targetGuards(owner.target, puts.keys(), step.deletes, observed, guardKind),
    ...recordGuards(owner, observed),
  ]
  const failure: Op[] = [
    { kind: 'range', ...targetRange(owner.target), order: 'newest', limit: 1, keysOnly: true },
    { kind: 'range', key: recordKey(owner.statePrefix, owner.uid), keysOnly: true },
  ]
  return {
    txn: { compare, success, failure },
    puts,
    deletes: step.deletes,
    records,
    guard: guardKind,
    opCount: success.length,
    byteSize: byteSize(success) + compare.length * (owner.target.length + OVERHEAD_BYTES),
  }
}

/** All of it when it fits, else as many puts as fit, else as many deletes. */
function firstStep(
  diff: Diff,
  recordOps: number,
  maxOps: number,
): { puts: ReadonlyMap<string, string>; deletes: readonly string[]; complete: boolean } {
  const puts = new Map<string, string>()
  let ops = recordOps
  let bytes = 4096
  for (const [key, value] of diff.puts) {
    const size = key.length + value.length * 3 + OVERHEAD_BYTES
    if (ops + 1 > maxOps || bytes + size > MAX_BYTES) return { puts, deletes: [], complete: false }
    ops += 1
    bytes += size
    puts.set(key, value)
  }
  const deletes: string[] = []
  for (const key of diff.deletes) {
    const size = key.length + OVERHEAD_BYTES
    if (ops + 1 > maxOps || bytes + size > MAX_BYTES) {
      return puts.size > 0 ? { puts, deletes: [], complete: false } : { puts, deletes, complete: false }
    }
    ops += 1
    bytes += size
    deletes.push(key)
  }
  return { puts, deletes, complete: true }
}

/**
 * The leases the Record names after this step: those with keys on them. An ID that has none left goes with the Txn that completes
 * the plan; one living lease stays, so that a service scaled to zero and back needs no new one.
 */
function nextLeases(
  diff: Diff,
  leases: ReadonlyMap<string, LeaseId>,
  observed: Observed,
  complete: boolean,
): readonly RecordLease[] {
  const used = new Set<LeaseId | null>([...leases.values(), ...diff.keeps.map((entry) => entry.lease)])
  if (!complete) for (const id of ownedLeases(observed)) used.add(id)
  const next = [...observed.leases.values()].filter(({ id }) => used.has(id))
  const spare = [...observed.leases.values()].find(({ health }) => health === 'alive')
  const kept = next.length === 0 && spare !== undefined ? [spare] : next
  return kept.map(({ id, ttlSeconds }) => ({ id, ttlSeconds })).toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

function changeRecord(
  owner: Owner,
  leases: readonly RecordLease[],
  observed: Observed,
  complete: boolean,
): RecordChange {
  const key = recordKey(owner.statePrefix, owner.uid)
  const takenOver = observed.predecessors.map(({ uid }) => recordKey(owner.statePrefix, uid))
  if (owner.retired) return { puts: [], deletes: complete ? [key, ...takenOver] : takenOver }
  const next: ServiceRecord = { leases, target: owner.target, service: owner.service }
  const value = encodeRecord(next)
  const same = observed.record !== null && encodeRecord(observed.record) === value
  return { puts: same ? [] : [{ key, value, lease: null }], deletes: takenOver }
}

function targetGuards(
  target: string,
  puts: Iterable<string>,
  deletes: readonly string[],
  observed: Observed,
  guardKind: GuardKind,
): readonly Compare[] {
  if (guardKind === 'range') {
    return [{ kind: 'modRevision', ...targetRange(target), result: '<', revision: observed.revision + 1 }]
  }
  return [...puts, ...deletes].map((key) => ({
    kind: 'modRevision',
    key,
    result: '=',
    revision: observed.entries.get(key)?.modRevision ?? 0,
  }))
}

function recordGuards(owner: Owner, observed: Observed): readonly Compare[] {
  const seen: readonly Pick<StoredRecord, 'uid' | 'modRevision'>[] = [
    observed.record ?? { uid: owner.uid, modRevision: 0 },
    ...observed.predecessors,
  ]
  return seen.map(({ uid, modRevision }) => ({
    kind: 'modRevision',
    key: recordKey(owner.statePrefix, uid),
    result: '=',
    revision: modRevision,
  }))
}

function byteSize(ops: readonly Op[]): number {
  let total = 0
  for (const op of ops) {
    if (op.kind === 'put') total += op.key.length + op.value.length * 3 + OVERHEAD_BYTES
    else if (op.kind === 'delete') total += op.key.length + OVERHEAD_BYTES
  }
  return total
}
