/**
 * The Record: our bookkeeping entry for one GrpcService, at `<statePrefix>services/<uid>`. It says which leases are the service's,
 * and so which keys are (S11). STABLE FORMAT: a JSON array `[format, [lease IDs], target, "namespace/name", [TTL seconds of each
 * lease]]`. The first two positions never change meaning, so that any version can renew any Record's leases. An array, because
 * no naming client can decode one as an endpoint (SPEC.md, 1.3).
 */
import type { Entry, LeaseId, Revision } from '../etcd/kv.ts'

const FORMAT = 1

export interface RecordLease {
  readonly id: LeaseId
  /** The TTL it was granted with, in seconds; 0 in a Record of a format that does not say. */
  readonly ttlSeconds: number
}

export interface ServiceRecord {
  readonly leases: readonly RecordLease[]
  readonly target: string
  /** ServiceKey, `namespace/name`. */
  readonly service: string
}

/** A Record as it stands in etcd. */
export interface StoredRecord extends ServiceRecord {
  /** UID of the GrpcService, the last segment of the key. */
  readonly uid: string
  readonly modRevision: Revision
}

export function recordKey(statePrefix: string, uid: string): string {
  return `${statePrefix}services/${uid}`
}

export function encodeRecord(record: ServiceRecord): string {
  const ids = record.leases.map((lease) => lease.id)
  const ttls = record.leases.map((lease) => lease.ttlSeconds)
  return JSON.stringify([FORMAT, ids, record.target, record.service, ttls])
}

/** `null` for what is not a Record: its leases can not be known, so nothing it may own is ever touched. */
export function decodeRecord(statePrefix: string, entry: Entry): StoredRecord | null {
  const uid = entry.key.slice(recordKey(statePrefix, '').length)
  const value = parseJson(entry.value)
  if (uid === '' || !Array.isArray(value)) return null
  const [format, ids, target, service, ttls] = value as readonly unknown[]
  if (typeof format !== 'number' || typeof target !== 'string' || typeof service !== 'string') return null
  if (
    !Array.isArray(ids) ||
    !ids.every((id): id is LeaseId => typeof id === 'string' && /^[1-9a-f][0-9a-f]{0,15}$/.test(id))
  ) {
    return null
  }
  const leases = ids.map((id, position) => ({ id, ttlSeconds: seconds(ttls, position) }))
  return { uid, leases, target, service, modRevision: entry.modRevision }
}

function seconds(ttls: unknown, position: number): number {
  const value: unknown = Array.isArray(ttls) ? ttls[position] : undefined
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}
