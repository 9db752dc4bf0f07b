/**
 * Records: every Record in etcd, by GrpcService UID, by ServiceKey and by target, and the leases that they name. Any replica keeps
 * all of those leases alive, whether it leads or not. Keeps: S11 (a lease is renewed as long as a Record names it), L5.
 */
import type { Logger } from 'pino'
import type { Mirror } from '../etcd/mirror.ts'
import type { LeaseId } from '../etcd/kv.ts'
import { decodeRecord, recordKey, type StoredRecord } from '../plan/record.ts'
import type { ServiceKey } from '../plan/sources.ts'

export interface LeaseFeed {
  /** Adding one that is there already changes nothing. */
  add(id: LeaseId, ttlSeconds: number): void
  remove(id: LeaseId): void
}

export interface RecordsOptions {
  readonly statePrefix: string
  readonly leases: LeaseFeed
  /** A Record came, changed or went. */
  readonly onChange: (record: StoredRecord) => void
  readonly log: Logger
}

export class Records {
  readonly #options: RecordsOptions
  readonly #byUid = new Map<string, StoredRecord>()
  readonly #byService = new Map<ServiceKey, Set<StoredRecord>>()
  readonly #byTarget = new Map<string, Set<StoredRecord>>()
  readonly #byLease = new Map<LeaseId, Set<StoredRecord>>()

  constructor(options: RecordsOptions) {
    this.#options = options
  }

  get(uid: string): StoredRecord | undefined {
    return this.#byUid.get(uid)
  }

  ofService(service: ServiceKey): readonly StoredRecord[] {
    return [...(this.#byService.get(service) ?? [])]
  }

  ofTarget(target: string): readonly StoredRecord[] {
    return [...(this.#byTarget.get(target) ?? [])]
  }

  /** The Records that name this lease: one, by S11. */
  ofLease(id: LeaseId): readonly StoredRecord[] {
    return [...(this.#byLease.get(id) ?? [])]
  }

  get leaseCount(): number {
    return this.#byLease.size
  }

  values(): Iterable<StoredRecord> {
    return this.#byUid.values()
  }

  /** Takes over what the mirror of the Records holds for these keys. */
  update(mirror: Pick<Mirror, 'entries'>, keys: readonly string[]): void {
    const { statePrefix, leases, log } = this.#options
    const changed: StoredRecord[] = []
    const released = new Set<LeaseId>()
    for (const key of keys) {
      const uid = key.slice(recordKey(statePrefix, '').length)
      const entry = mirror.entries.get(key)
      const after = entry === undefined ? undefined : decodeRecord(statePrefix, entry)
      if (after === null) {
        log.error({ key }, 'not a Record of a known format: left alone; delete the key if nobody needs it')
        continue
      }
      const before = this.#byUid.get(uid)
      if (before !== undefined) {
        this.#drop(before)
        for (const { id } of before.leases) if (!this.#byLease.has(id)) released.add(id)
        changed.push(before)
      }
      if (after !== undefined) {
        this.#add(after)
        for (const { id, ttlSeconds } of after.leases) leases.add(id, ttlSeconds)
        changed.push(after)
      }
    }
    // Only now: a lease may have moved from one Record to its successor's.
    for (const id of released) if (!this.#byLease.has(id)) leases.remove(id)
    for (const record of changed) this.#options.onChange(record)
  }

  #add(record: StoredRecord): void {
    this.#byUid.set(record.uid, record)
    file(this.#byService, record.service, record)
    file(this.#byTarget, record.target, record)
    for (const { id } of record.leases) file(this.#byLease, id, record)
  }

  #drop(record: StoredRecord): void {
    this.#byUid.delete(record.uid)
    unfile(this.#byService, record.service, record)
    unfile(this.#byTarget, record.target, record)
    for (const { id } of record.leases) unfile(this.#byLease, id, record)
  }
}

function file<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const filed = index.get(key)
  if (filed === undefined) index.set(key, new Set([value]))
  else filed.add(value)
}

function unfile<T>(index: Map<string, Set<T>>, key: string, value: T): void {
  const filed = index.get(key)
  filed?.delete(value)
  if (filed?.size === 0) index.delete(key)
}
