/** One service converging on the store model, as `grpc-service.ts` does it with the real one: plan, grant or commit, again. */
import type { Entry } from '../../src/etcd/kv.ts'
import { targetRange } from '../../src/naming/key.ts'
import type { LeaseHealth, Observed } from '../../src/plan/observed.ts'
import { plan, type Plan } from '../../src/plan/plan.ts'
import { decodeRecord, recordKey, type StoredRecord } from '../../src/plan/record.ts'
import type { GuardKind, Owner, ServiceTxn } from '../../src/plan/txn.ts'
import { StoreModel } from './store-model.ts'

export const statePrefix = '_grpcetcd/test/'

export class ConvergingService {
  readonly store: StoreModel
  readonly owner: Owner
  readonly commits: ServiceTxn[] = []
  readonly health = new Map<string, LeaseHealth>()
  readonly granted = new Map<string, number>()
  readonly retained = new Set<string>()
  readonly staleHolders = new Map<string, string>()
  leaseDurationSeconds = 600
  guardKind: GuardKind = 'range'

  constructor(store = new StoreModel(), uid = 'uid-1', target = 'demo/greeter', retired = false) {
    this.store = store
    this.owner = { statePrefix, uid, service: 'demo/greeter', target, retired }
  }

  get record(): StoredRecord | null {
    return this.#record(this.owner.uid)
  }

  entries(): ReadonlyMap<string, Entry> {
    const { key, rangeEnd } = targetRange(this.owner.target)
    return this.store.range(key, rangeEnd)
  }

  observed(predecessors: readonly string[] = []): Observed {
    const records = predecessors.flatMap((uid) => this.#record(uid) ?? [])
    const leases = [this.record, ...records].flatMap((record) => record?.leases ?? [])
    for (const [id, ttlSeconds] of this.granted)
      if (!leases.some((lease) => lease.id === id)) leases.push({ id, ttlSeconds })
    return {
      entries: this.entries(),
      revision: this.store.revision,
      record: this.record,
      predecessors: records,
      leases: new Map(leases.map((lease) => [lease.id, { ...lease, health: this.health.get(lease.id) ?? 'alive' }])),
    }
  }

  plan(values: ReadonlyMap<string, string>, predecessors: readonly string[] = []): Plan {
    const { owner, leaseDurationSeconds, guardKind } = this
    return plan({
      owner,
      values,
      observed: this.observed(predecessors),
      leaseDurationSeconds,
      retains: (key) => this.retained.has(key),
      staleHolder: (key) => this.staleHolders.get(key) ?? null,
      guardKind,
    })
  }

  /** Until nothing is left to do. `onCommit` sees the store after each commit. */
  converge(
    values: ReadonlyMap<string, string>,
    onCommit: () => void = () => undefined,
    predecessors: readonly string[] = [],
  ): void {
    for (let round = 0; round < 50; round += 1) {
      const next = this.plan(values, predecessors)
      switch (next.kind) {
        case 'unchanged':
          return
        case 'grant':
          for (let i = 0; i < next.count; i += 1)
            this.granted.set(
              `a${(this.granted.size + 1).toString(16)}${this.owner.uid.at(-1) ?? ''}`,
              this.leaseDurationSeconds,
            )
          break
        case 'wait':
          throw new Error('waits for a lease that nobody renews here')
        case 'commit':
          if (!this.store.commit(next.txn.txn)) throw new Error('a plan made from the present state conflicts')
          this.commits.push(next.txn)
          onCommit()
      }
    }
    throw new Error('does not converge')
  }

  #record(uid: string): StoredRecord | null {
    const entry = this.store.entries.get(recordKey(statePrefix, uid))
    return entry === undefined ? null : decodeRecord(statePrefix, entry)
  }
}
