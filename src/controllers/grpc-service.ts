/**
 * reconcile(ServiceKey): the pipeline for one GrpcService: gather → desired → diff → safeguards → txn → commit. Level-triggered: it
 * looks at what is, never at what happened, so a restart, a relist and a Pod event run the same code. Nothing is written when
 * nothing differs (S12). Status is handed over, never waited for.
 */
import type { Logger } from 'pino'
import type { Committer, CommitOutcome } from '../etcd/committer.ts'
import type { Entry, Revision } from '../etcd/kv.ts'
import type { LeaseKeeper } from '../etcd/lease-keeper.ts'
import type { Mirror } from '../etcd/mirror.ts'
import { InvariantError, RejectedError, UnavailableError } from '../errors.ts'
import type { Desired } from '../plan/desired.ts'
import type { ServiceKey, ServiceSource } from '../plan/sources.ts'
import { plan, type Plan } from '../plan/plan.ts'
import type { StoredRecord } from '../plan/record.ts'
import type { GuardKind, Owner, ServiceTxn } from '../plan/txn.ts'
import { gatherDesired, gatherObserved, mayPublish, retains, rivalOf, staleHolder } from './gather.ts'
import type { Records } from './records.ts'
import type { Spares } from './spares.ts'
import type { Stores } from './stores.ts'
import type { Targets } from './targets.ts'
import type { Concluded, Conclusion } from './verdict.ts'

/** Conflicts in a row after which the guard covers the touched keys only: an application writes to the target all the time. */
const CONFLICTS_BEFORE_KEY_GUARD = 3
const CONFLICTS_BEFORE_BACKOFF = 10
/** A lease granted by somebody else is renewed within one round trip; look again after this. */
const LEASE_WAIT_MS = 25
const WAITS_BEFORE_BACKOFF = 20
/** The store lags behind the API server: its watch brings the change sooner than this, as a rule. */
const GONE_RETRY_MS = 1_000
/** Two services that wait for each other must not chase one another. */
const WAITER_MS = 25

export interface GrpcServiceDeps {
  readonly statePrefix: string
  readonly stores: Stores
  readonly records: Records
  readonly targets: Targets
  readonly leases: LeaseKeeper
  readonly spares: Spares
  readonly committer: Committer
  /** Applies our own commit to the mirrors at once; the watch only repeats it. */
  readonly noteCommit: (owner: Owner, txn: ServiceTxn, revision: number) => void
  /** True once a quorum read proved that the GrpcService of this Record no longer exists. */
  readonly provenGone: (record: StoredRecord, signal: AbortSignal) => Promise<boolean>
  /** Resolves when the mirrors show at least everything that was committed before the call. */
  readonly catchUp: (signal: AbortSignal) => Promise<void>
  readonly requeue: (key: ServiceKey, afterMs: number) => void
  readonly report: (key: ServiceKey, concluded: Concluded) => void
  readonly log: Logger
}

/** What was concluded has been reported already when it resolves. */
export type Reconcile = (key: ServiceKey, signal: AbortSignal) => Promise<Conclusion>

export function createReconcile(deps: GrpcServiceDeps): Reconcile {
  const conflicts = new Map<ServiceKey, number>()
  const waits = new Map<ServiceKey, number>()
  const waiting = new Map<ServiceKey, Set<ServiceKey>>()

  return async function reconcile(key, signal) {
    for (const record of deps.records.ofService(key)) await retire(record, signal)
    const concluded = await publish(key, signal)
    deps.report(key, concluded)
    for (const waiter of waiting.get(key) ?? []) deps.requeue(waiter, WAITER_MS)
    waiting.delete(key)
    return concluded.conclusion
  }

  async function publish(key: ServiceKey, signal: AbortSignal): Promise<Concluded> {
    const service = deps.stores.services.get(key)
    if (service === undefined) return { service, conclusion: { kind: 'absent' } }
    if (!service.spec.ok) return { service, conclusion: { kind: 'invalid', problems: service.spec.problems } }
    const { target } = service
    if (target === null) throw new InvariantError(`GrpcService ${key} has a valid spec and no target`)
    const record = deps.records.get(service.uid) ?? null
    if (record !== null && record.target !== target) {
      return { service, conclusion: { kind: 'moved', from: record.target, to: target } }
    }
    const rival = rivalOf(deps.stores, deps.records, service, target)
    if (rival !== null) return { service, conclusion: { kind: 'conflict', target, rival } }
    const mirror = deps.targets.get(target)
    if (mirror !== undefined && mirror.problem !== null) throw mirror.problem
    if (mirror === undefined || !mirror.ready) return { service, conclusion: { kind: 'pending' } }
    const predecessors = await provenPredecessors(service, target, signal)

    const owner: Owner = { statePrefix: deps.statePrefix, uid: service.uid, service: key, target, retired: false }
    return converge(owner, mirror, predecessors, signal)
  }

  /** Records of this target whose GrpcService is proven gone: their leases and keys go over to the present one (Succession). */
  async function provenPredecessors(
    service: ServiceSource,
    target: string,
    signal: AbortSignal,
  ): Promise<readonly StoredRecord[]> {
    const found: StoredRecord[] = []
    for (const record of deps.records.ofTarget(target)) {
      if (record.uid !== service.uid && (await deps.provenGone(record, signal))) found.push(record)
    }
    return found
  }

  /** The Record of a GrpcService that is not there any more: its keys and itself go, unless a successor takes them over. */
  async function retire(record: StoredRecord, signal: AbortSignal): Promise<void> {
    if (deps.stores.services.get(record.service)?.uid === record.uid) return
    if (!(await deps.provenGone(record, signal))) {
      deps.requeue(record.service, GONE_RETRY_MS)
      return
    }
    const claimants = [...deps.stores.lookup.byTarget(record.target)]
    const heir = claimants.find((service) => mayPublish(deps.stores, deps.records, service, record.target))
    if (heir !== undefined) {
      if (heir.key !== record.service) deps.requeue(heir.key, 0)
      return
    }
    const mirror = deps.targets.get(record.target)
    if (mirror === undefined || !mirror.ready) return
    const owner: Owner = {
      statePrefix: deps.statePrefix,
      uid: record.uid,
      service: record.service,
      target: record.target,
      retired: true,
    }
    await converge(owner, mirror, [], signal)
    deps.spares.drop(record.uid)
  }

  /** Plans against what is observed now, commits, and reports what then stands. One step of a split plan a call. */
  async function converge(
    owner: Owner,
    mirror: Mirror,
    predecessors: readonly StoredRecord[],
    signal: AbortSignal,
  ): Promise<Concluded> {
    let committedAt: Revision = 0
    for (;;) {
      // Read anew in each round: a round may have waited for etcd.
      const service = owner.retired ? undefined : deps.stores.services.get(owner.service)
      const wanted = service === undefined ? NOTHING : gatherDesired(deps.stores, service, owner.target)
      if (wanted === null || (!owner.retired && service?.uid !== owner.uid)) {
        // It changed while we waited, and has been queued again for that.
        return { service, conclusion: { kind: 'pending' } }
      }
      const leaseDurationSeconds = service?.spec.ok === true ? service.spec.value.leaseDurationSeconds : 0
      const record = deps.records.get(owner.uid) ?? null
      const next = plan({
        owner,
        values: wanted.values,
        observed: gatherObserved({
          mirror,
          record,
          predecessors: predecessors.flatMap(({ uid }) => deps.records.get(uid) ?? []),
          spares: deps.spares.of(owner.uid),
          leaseState: (id) => deps.leases.state(id),
        }),
        leaseDurationSeconds,
        retains: (key) => retains(wanted, owner.target, key),
        staleHolder: (key) => staleHolder(deps.stores, deps.records, deps.targets, owner.target, key),
        guardKind: guardKind(owner.service),
      })
      for (const { waitsFor } of next.held) remember(waitsFor, owner.service)
      if (next.kind !== 'wait') waits.delete(owner.service)
      switch (next.kind) {
        case 'unchanged':
          conflicts.delete(owner.service)
          return { service, conclusion: conclude(owner, mirror, wanted, next, committedAt) }
        case 'grant':
          await deps.spares.grant(owner.uid, leaseDurationSeconds, next.count, signal)
          continue
        case 'wait':
          noteWait(owner)
          return { service, conclusion: { kind: 'pending' } }
        case 'commit': {
          const outcome = await commit(owner, next.txn, signal)
          if (outcome.kind === 'committed') {
            committedAt = outcome.revision
            deps.noteCommit(owner, next.txn, outcome.revision)
            deps.log.debug(
              {
                service: owner.service,
                revision: outcome.revision,
                puts: next.txn.puts.size,
                deletes: next.txn.deletes.length,
              },
              'committed',
            )
            continue
          }
          if (outcome.kind === 'fenced') return { service, conclusion: { kind: 'pending' } }
          noteConflict(owner)
          await deps.catchUp(signal)
          continue
        }
      }
    }
  }

  async function commit(owner: Owner, txn: ServiceTxn, signal: AbortSignal): Promise<CommitOutcome> {
    try {
      return await deps.committer.commit({ name: owner.service, ...txn }, signal)
    } catch (error) {
      // Revoked by hand: the renewal that would tell may be minutes away (L6).
      if (error instanceof RejectedError && error.code === 'lease-not-found') {
        for (const lease of new Set([...txn.puts.values()].map((put) => put.lease))) deps.leases.check(lease)
      }
      throw error
    }
  }

  /** A few in a row are somebody else's writes; many are not a race any more, so the key backs off. */
  function noteConflict(owner: Owner): void {
    const inARow = (conflicts.get(owner.service) ?? 0) + 1
    conflicts.set(owner.service, inARow)
    deps.log.debug({ service: owner.service, conflicts: inARow }, 'conflict: planning again')
    if (inARow % CONFLICTS_BEFORE_BACKOFF !== 0) return
    throw new UnavailableError(`somebody keeps changing ${owner.target}/ or its Record: ${inARow} conflicts in a row`, {
      code: 'conflicts',
      target: owner.target,
    })
  }

  function guardKind(key: ServiceKey): GuardKind {
    return (conflicts.get(key) ?? 0) >= CONFLICTS_BEFORE_KEY_GUARD ? 'keys' : 'range'
  }

  /** One round trip as a rule. When it takes longer, the leases can not be renewed, and the service has to say so. */
  function noteWait(owner: Owner): void {
    const inARow = (waits.get(owner.service) ?? 0) + 1
    waits.set(owner.service, inARow)
    if (inARow <= WAITS_BEFORE_BACKOFF) return deps.requeue(owner.service, LEASE_WAIT_MS)
    throw new UnavailableError(`the leases of ${owner.target} are not renewed: etcd does not answer, or refuses`, {
      code: 'lease-unknown',
      target: owner.target,
    })
  }

  /** Not oneself: what brings a waiting service back is its holder's next run. */
  function remember(holder: ServiceKey, waiter: ServiceKey): void {
    if (holder === waiter) return
    const waiters = waiting.get(holder)
    if (waiters === undefined) waiting.set(holder, new Set([waiter]))
    else waiters.add(waiter)
  }

  function owned(owner: Owner, mirror: Mirror): readonly Entry[] {
    const own = new Set((deps.records.get(owner.uid)?.leases ?? []).map(({ id }) => id))
    return [...mirror.entries.values()].filter(({ lease }) => lease !== null && own.has(lease))
  }

  function conclude(owner: Owner, mirror: Mirror, wanted: Desired, next: Plan, committedAt: Revision): Conclusion {
    const since = owned(owner, mirror).reduce((latest, { modRevision }) => Math.max(latest, modRevision), 0)
    const until = Math.max(since, mirror.observed, committedAt)
    return {
      kind: 'published',
      target: owner.target,
      desired: wanted.values.size,
      registered: next.kept,
      revision: deps.records.get(owner.uid) === undefined ? null : { since, until },
      problems: wanted.problems,
      foreign: next.foreign,
      held: next.held,
      keys: wanted.values,
    }
  }
}

const NOTHING: Desired = { values: new Map(), problems: [], retainedHosts: new Set() }
