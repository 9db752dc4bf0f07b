/**
 * The view of one process: stores of the cluster, mirrors of etcd, and what a change of either means for which service. Any replica
 * keeps one, whether it leads or not, so that taking over costs no list (SPEC.md, 3.3).
 */
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { LeaseKeeper } from '../etcd/lease-keeper.ts'
import type { Mirror, Mirrors } from '../etcd/mirror.ts'
import type { KubeClient } from '../kube/client.ts'
import { createReflector } from '../kube/reflector.ts'
import { resourceName, type Resource, type StoredObject } from '../kube/resource.ts'
import type { Store } from '../kube/store.ts'
import { prefixRange, type Revision } from '../etcd/kv.ts'
import { recordKey } from '../plan/record.ts'
import type { ServiceKey } from '../plan/sources.ts'
import type { Owner, ServiceTxn } from '../plan/txn.ts'
import type { Metrics } from './metrics.ts'
import { Records } from './records.ts'
import { grpcEndpoints, grpcServices, pods } from './shapes.ts'
import { createStores, type Stores } from './stores.ts'
import { Targets } from './targets.ts'
import { endpointTriggers, overlapping, podTriggers, serviceTriggers } from './triggers.ts'

export interface View {
  readonly stores: Stores
  readonly records: Records
  readonly targets: Targets
  /** What is not complete yet, in words for people; empty when a plan may be made. */
  missing(): readonly string[]
  /** Resource to whether a complete list of it was received. */
  synced(): ReadonlyMap<string, boolean>
  /** Whether the mirrors, that of the Records included, show all that was committed up to this revision. */
  mirrorsAt(revision: Revision): boolean
  /** What has not been watched for a minute, in words for people: no silent freeze (L11). */
  frozen(): readonly string[]
  /** Whether a resource is not watched at this moment. */
  readonly unwatched: boolean
  /** Every service there is something to do for: those that exist, that a GrpcEndpoint names, that a Record names. */
  allServices(): ReadonlySet<ServiceKey>
  /** Our own commit, at once; the watch only repeats it. */
  noteCommit(owner: Owner, txn: ServiceTxn, revision: number): void
  /** Resolves when the signal has ended everything that runs here; rejects for a bug in it. */
  readonly running: Promise<void>
}

export interface ViewDeps {
  readonly config: Config
  readonly kube: KubeClient
  readonly mirrors: Mirrors
  readonly leases: LeaseKeeper
  readonly metrics: Metrics
  /** A service that has to be reconciled. */
  readonly onTrigger: (service: ServiceKey) => void
  /** Something became complete, or stopped being so. */
  readonly onProgress: () => void
  readonly log: Logger
}

const FROZEN_AFTER_MS = 60_000

export function createView(deps: ViewDeps, signal: AbortSignal): View {
  const { statePrefix, keyPrefix } = deps.config
  const stores = createStores()
  const services = grpcServices(keyPrefix)
  const records = new Records({
    statePrefix,
    leases: deps.leases,
    onChange: (record) => {
      targets.settle(record.target)
      deps.onTrigger(record.service)
      for (const service of overlapping(record.target, stores.lookup)) deps.onTrigger(service.key)
    },
    log: deps.log,
  })
  const targets = new Targets({
    openMirror: (range, onChange) => deps.mirrors.open({ range, onChange }),
    needed: (target) => records.ofTarget(target).length > 0 || !isEmpty(stores.lookup.byTarget(target)),
    onChange: (target) => {
      deps.onProgress()
      for (const record of records.ofTarget(target)) deps.onTrigger(record.service)
      for (const service of stores.lookup.byTarget(target)) deps.onTrigger(service.key)
    },
  })
  const recordMirror: Mirror = deps.mirrors.open({
    range: prefixRange(recordKey(statePrefix, '')),
    onChange: (keys) => {
      records.update(recordMirror, keys)
      deps.onProgress()
    },
  })

  stores.services.subscribe((change) => {
    for (const service of [change.before, change.after])
      if (typeof service?.target === 'string') targets.settle(service.target)
    for (const key of serviceTriggers(change, stores.lookup)) deps.onTrigger(key)
  })
  stores.endpoints.subscribe((change) => {
    for (const key of endpointTriggers(change)) deps.onTrigger(key)
  })
  stores.pods.subscribe((change) => {
    for (const key of podTriggers(change, stores.lookup)) deps.onTrigger(key)
  })

  /** Since when each resource is not watched. */
  const unwatchedSinceMs = new Map<string, number>()
  const reflectors = [
    reflect(services, stores.services),
    reflect(grpcEndpoints, stores.endpoints),
    reflect(pods, stores.pods),
  ]

  async function reflect<T extends StoredObject>(resource: Resource<T>, store: Store<T>): Promise<void> {
    const name = resourceName(resource)
    const reflector = createReflector({
      client: deps.kube,
      resource,
      store,
      log: deps.log,
      onState(state) {
        if (state.kind === 'waiting') deps.metrics.reflectorInterrupted(name, state.reason)
        if (state.kind === 'watching') unwatchedSinceMs.delete(name)
        else if (!unwatchedSinceMs.has(name)) unwatchedSinceMs.set(name, performance.now())
        deps.onProgress()
      },
    })
    await reflector.run(signal)
  }

  function synced(): ReadonlyMap<string, boolean> {
    return new Map([
      [resourceName(services), stores.services.ready],
      [resourceName(grpcEndpoints), stores.endpoints.ready],
      [resourceName(pods), stores.pods.ready],
    ])
  }

  return {
    stores,
    records,
    targets,
    synced,
    running: Promise.all(reflectors).then(() => undefined),
    missing() {
      const missing: string[] = []
      for (const [name, ready] of synced()) if (!ready) missing.push(`the list of ${name} is not complete`)
      const ranges = targets.incomplete + (recordMirror.ready ? 0 : 1)
      if (ranges > 0) missing.push(`${ranges} ranges of etcd are not complete`)
      return missing
    },
    mirrorsAt: (revision) => recordMirror.ready && recordMirror.delivered >= revision && targets.areAt(revision),
    frozen() {
      const beforeMs = performance.now() - FROZEN_AFTER_MS
      return [...unwatchedSinceMs].flatMap(([name, sinceMs]) =>
        sinceMs < beforeMs ? [`${name} can not be watched: what is known of them may be old`] : [],
      )
    },
    get unwatched() {
      return unwatchedSinceMs.size > 0
    },
    allServices() {
      const keys = new Set<ServiceKey>()
      for (const service of stores.services.values()) keys.add(service.key)
      for (const endpoint of stores.endpoints.values()) if (endpoint.service !== null) keys.add(endpoint.service)
      for (const record of records.values()) keys.add(record.service)
      return keys
    },
    noteCommit(owner, txn, revision) {
      const puts = [...txn.puts].map(([key, { value, lease }]) => ({ key, value, lease }))
      targets.get(owner.target)?.apply({ revision, puts, deletes: txn.deletes, guarded: txn.guard === 'range' })
      targets.noteOwn(owner.target, [...txn.puts.keys(), ...txn.deletes])
      const { puts: recordPuts, deletes } = txn.records
      if (recordPuts.length === 0 && deletes.length === 0) return
      recordMirror.apply({ revision, puts: recordPuts, deletes, guarded: false })
      records.update(recordMirror, [...recordPuts.map(({ key }) => key), ...deletes])
    },
  }
}

function isEmpty(items: Iterable<unknown>): boolean {
  for (const _ of items) return false
  return true
}
