/**
 * Spares: leases granted for a service that no Record names yet. They are kept alive, and planned with, from the moment etcd has
 * acknowledged them; the Txn that puts the first key on one also brings it into the Record (S11).
 */
import type { LeaseKeeper } from '../etcd/lease-keeper.ts'
import type { RecordLease } from '../plan/record.ts'
import type { Records } from './records.ts'

export class Spares {
  readonly #leases: LeaseKeeper
  readonly #records: Records
  readonly #byUid = new Map<string, RecordLease[]>()

  constructor(leases: LeaseKeeper, records: Records) {
    this.#leases = leases
    this.#records = records
  }

  /** Those of the service with this UID that its Record does not name. */
  of(uid: string): readonly RecordLease[] {
    const spares = this.#byUid.get(uid)
    if (spares === undefined) return []
    const recorded = new Set((this.#records.get(uid)?.leases ?? []).map(({ id }) => id))
    const left = spares.filter(({ id }) => !recorded.has(id) && this.#leases.state(id).kind !== 'lost')
    if (left.length === 0) this.#byUid.delete(uid)
    else this.#byUid.set(uid, left)
    return left
  }

  /** @throws what the first grant that fails throws; those that succeed are kept for the next plan */
  async grant(uid: string, ttlSeconds: number, count: number, signal: AbortSignal): Promise<void> {
    const one = async (): Promise<void> => {
      const id = await this.#leases.grant(ttlSeconds, signal)
      this.#byUid.set(uid, [...this.of(uid), { id, ttlSeconds }])
    }
    await Promise.all(Array.from({ length: count }, one))
  }

  /** The reign is over: what no Record names is nobody's, and runs out by itself. */
  dropAll(): void {
    for (const uid of this.#byUid.keys()) this.drop(uid)
  }

  /** The service is gone: its unused leases run out by themselves. */
  drop(uid: string): void {
    for (const { id } of this.of(uid)) this.#leases.remove(id)
    this.#byUid.delete(uid)
  }
}
