/**
 * Laws that hold at every revision whatever the test did (SPEC.md): S10, S11, and that bookkeeping can not be mistaken for an endpoint.
 * A key that a test wrote itself is on no lease, or on one that the test names; the operator never puts one without.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import type { RecordedRevision, StoredEntry } from './recorder.ts'

export const KEYS_PER_LEASE = 250

const recordSchema = z
  .tuple([z.number(), z.array(z.string()), z.string(), z.string()], z.unknown())
  .transform(([, leases, target, service]) => ({ leases, target, service }))
export type SeenRecord = z.infer<typeof recordSchema>

const isRecordKey = (key: string): boolean => /^_grpcetcd\/[^/]+\/services\//.test(key)

/** The Records among these entries, by UID. */
export function recordsOf(entries: ReadonlyMap<string, StoredEntry>): ReadonlyMap<string, SeenRecord> {
  const records = new Map<string, SeenRecord>()
  for (const { key, value } of entries.values()) {
    if (isRecordKey(key)) records.set(key.slice(key.lastIndexOf('/') + 1), recordSchema.parse(JSON.parse(value)))
  }
  return records
}

export function checkLaws(revisions: readonly RecordedRevision[], foreignLeases: ReadonlySet<string>): void {
  const entries = new Map<string, StoredEntry>()
  const keysByLease = new Map<string, number>()
  const count = (lease: string | null | undefined, by: number): void => {
    if (typeof lease === 'string') keysByLease.set(lease, (keysByLease.get(lease) ?? 0) + by)
  }
  let leaseOwners = new Map<string, string>()

  for (const { revision, events } of revisions) {
    const at = `at revision ${revision}`
    for (const event of events) {
      count(entries.get(event.key)?.lease, -1)
      if (event.kind === 'delete') entries.delete(event.key)
      else {
        entries.set(event.key, event.entry)
        count(event.entry.lease, 1)
      }
    }
    if (events.some(({ key }) => isRecordKey(key))) leaseOwners = ownersOf(entries, at)
    for (const event of events) {
      if (event.kind === 'delete') continue
      const { key, lease, value } = event.entry
      if (key.startsWith('_grpcetcd/')) {
        assert.ok(Array.isArray(JSON.parse(value)), `${at} ${key} could be read as an endpoint: ${value}`)
      } else if (lease !== null && !foreignLeases.has(lease)) {
        const target = leaseOwners.get(lease)
        assert.ok(target !== undefined, `${at} ${key} is on lease ${lease}, which no Record names (S11)`)
        assert.ok(key.startsWith(`${target}/`), `${at} ${key} is on a lease of ${target} (S11)`)
        assert.ok((keysByLease.get(lease) ?? 0) <= KEYS_PER_LEASE, `${at} lease ${lease} has too many keys (S11)`)
        const { Addr } = z.object({ Addr: z.string() }).parse(JSON.parse(value))
        assert.equal(key, `${target}/${Addr}`, `${at} a key does not end in its address (S10)`)
      }
    }
  }
}

/** Lease to target, of all Records. */
function ownersOf(entries: ReadonlyMap<string, StoredEntry>, at: string): Map<string, string> {
  const owners = new Map<string, string>()
  for (const { leases, target, service } of recordsOf(entries).values()) {
    for (const lease of leases) {
      assert.ok(!owners.has(lease), `${at} lease ${lease} is shared by ${service} and another (S11)`)
      owners.set(lease, target)
    }
  }
  return owners
}
