/**
 * A reign: what a replica does from winning the election until it loses or gives up leadership. Everything here dies with the reign:
 * queue, committer, plans. Keeps: S1 (every commit goes through the committer, which adds the fence), S13, S14.
 */
import type { Logger } from 'pino'
import { describeError } from '../errors.ts'
import { createCommitter } from '../etcd/committer.ts'
import type { Leadership } from '../etcd/election.ts'
import type { Kv } from '../etcd/kv.ts'
import type { LeaseKeeper } from '../etcd/lease-keeper.ts'
import type { KubeClient } from '../kube/client.ts'
import { applyStatus, getObject } from '../kube/single-object.ts'
import type { ResourceKind } from '../kube/resource.ts'
import type { Store } from '../kube/store.ts'
import type { StoredRecord } from '../plan/record.ts'
import type { EndpointSource, ServiceKey } from '../plan/sources.ts'
import { endpointStatus, serviceStatus } from '../plan/status.ts'
import { createRunner } from '../runtime/runner.ts'
import { endpointsOf } from './gather.ts'
import { createReconcile } from './grpc-service.ts'
import type { Metrics } from './metrics.ts'
import { grpcEndpoints, grpcServices } from './shapes.ts'
import { Spares } from './spares.ts'
import { createStatusWriter, type StatusKind, type WithStatus } from './status-writer.ts'
import { endpointVerdictOf, failureOf, verdictOf, type Concluded, type Conclusion } from './verdict.ts'
import type { View } from './view.ts'

/** Services worked on at once: enough that commits share RPCs, few enough that none waits long for its turn. */
const CONCURRENCY = 64
const FIELD_MANAGER = 'grpc-etcd-operator'

export interface ReignDeps {
  readonly statePrefix: string
  readonly view: View
  readonly kv: Kv
  readonly kube: KubeClient
  readonly leases: LeaseKeeper
  readonly leadership: Leadership
  readonly metrics: Metrics
  /** Kubernetes is ours, and the stores are as new as it: see `Watchdog.prove`. */
  readonly prove: (signal: AbortSignal) => Promise<void>
  /** Resolves when the mirrors show at least everything that was committed before the call. */
  readonly catchUp: (signal: AbortSignal) => Promise<void>
  readonly log: Logger
}

export interface Reign {
  enqueue(service: ServiceKey): void
  /** Services that wait for their reconcile. */
  readonly queued: number
  /** Takes no new work; resolves when the commits under way are answered. */
  end(): Promise<void>
}

/** @param signal aborts what is under way: leadership is lost */
export function createReign(deps: ReignDeps, signal: AbortSignal): Reign {
  const { view, metrics, log } = deps
  const { stores, records } = view
  const services = statusKind(grpcServices(''), stores.services)
  const endpoints = statusKind(grpcEndpoints, stores.endpoints)
  const statuses = createStatusWriter({ GrpcService: services, GrpcEndpoint: endpoints }, log, signal)
  const spares = new Spares(deps.leases, records)
  const gone = new Set<string>()
  /** What each GrpcEndpoint was told, as long as the store holds that very record. */
  const told = new WeakMap<EndpointSource, string>()

  const runner = createRunner<ServiceKey>(
    {
      concurrency: CONCURRENCY,
      run: timed(
        createReconcile({
          statePrefix: deps.statePrefix,
          stores,
          records,
          targets: view.targets,
          leases: deps.leases,
          spares,
          committer: createCommitter({ kv: deps.kv, leadership: deps.leadership, log }),
          noteCommit(owner, txn, revision) {
            view.noteCommit(owner, txn, revision)
            metrics.committed(txn)
          },
          provenGone,
          catchUp: deps.catchUp,
          requeue: (key, afterMs) => (afterMs === 0 ? runner.add(key) : runner.addAfter(key, afterMs)),
          report,
          log,
        }),
      ),
      onError(key, error, retryInMs) {
        log.warn({ service: key, error: describeError(error), retryInMs }, 'reconcile failed')
        reportError(key, error)
      },
    },
    signal,
  )

  function timed(reconcile: (key: ServiceKey, runSignal: AbortSignal) => Promise<Conclusion>) {
    return async (key: ServiceKey, runSignal: AbortSignal): Promise<void> => {
      const startedMs = performance.now()
      let result: Conclusion['kind'] | 'error' = 'error'
      try {
        result = (await reconcile(key, runSignal)).kind
      } finally {
        metrics.reconciled(result, (performance.now() - startedMs) / 1000)
      }
    }
  }

  /** Orphan Record: a quorum read that answers with a 404 naming the object, or with another UID (SPEC.md, 5.2). */
  async function provenGone(record: StoredRecord, lookupSignal: AbortSignal): Promise<boolean> {
    if (gone.has(record.uid)) return true
    if (stores.services.get(record.service)?.uid === record.uid) return false
    const lookup = await getObject(deps.kube, grpcServices(''), record.service, lookupSignal)
    if (lookup.kind === 'found' && lookup.object.metadata.uid === record.uid) return false
    gone.add(record.uid)
    return true
  }

  function report(key: ServiceKey, { service, conclusion }: Concluded): void {
    const verdict = service === undefined ? null : verdictOf(service, conclusion)
    if (verdict !== null && stores.services.get(key)?.uid === service?.uid) {
      statuses.want(services, key, (previous) => serviceStatus(verdict, previous, new Date()))
    }
    for (const endpoint of endpointsOf(stores, key)) {
      const own = endpointVerdictOf(endpoint, conclusion)
      const text = JSON.stringify(own)
      if (own === null || told.get(endpoint) === text) continue
      told.set(endpoint, text)
      statuses.want(endpoints, endpoint.key, (previous) => endpointStatus(own, previous, new Date()))
    }
  }

  function reportError(key: ServiceKey, error: unknown): void {
    const service = stores.services.get(key)
    if (service === undefined) return
    const { generation, target } = service
    const verdict = { generation, target, desired: 0, registered: 0, revision: null, failures: [failureOf(error)] }
    statuses.want(services, key, (previous) => ({
      ...serviceStatus(verdict, previous, new Date()),
      ...lastCounts(previous),
    }))
  }

  function statusKind<T extends WithStatus>(resource: ResourceKind, store: Store<T>): StatusKind {
    return {
      get: (key) => store.get(key),
      async apply(object, status, applySignal) {
        const { key, uid, resourceVersion } = object
        const patch = { uid, resourceVersion, fieldManager: FIELD_MANAGER, status: { ...status } }
        const outcome = await applyStatus(deps.kube, resource, key, patch, applySignal)
        return outcome.kind === 'conflict' ? 'conflict' : 'applied'
      },
    }
  }

  for (const key of view.allServices()) runner.add(key)
  return {
    enqueue: (key) => runner.add(key),
    get queued() {
      return runner.depth
    },
    async end() {
      await runner.stop()
      spares.dropAll()
      await statuses.stop()
    },
  }
}

/** A failed reconcile says nothing about the counts: those of the last good one stay. */
function lastCounts(previous: unknown): object {
  if (typeof previous !== 'object' || previous === null) return {}
  return Object.fromEntries(Object.entries(previous).filter(([name]) => name === 'endpoints' || name === 'revision'))
}
