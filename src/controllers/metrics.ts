/**
 * What Prometheus reads at `/metrics`: instruments bound once, so that the way of an event costs an addition. Names and labels are a
 * STABLE FORMAT; no label ever holds a Pod, an address or a key.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ServiceTxn } from '../plan/txn.ts'
import type { Conclusion } from './verdict.ts'

/** What is read when somebody asks, instead of being written down at each change. */
export interface MetricSources {
  /** Resource to whether a complete list of it was received. */
  readonly stores: () => ReadonlyMap<string, boolean>
  /** Leases that Records name. */
  readonly leases: () => number
  /** Services that wait for their reconcile. */
  readonly queued: () => number
  readonly leading: () => boolean
}

export interface Metrics {
  reconciled(result: Conclusion['kind'] | 'error', seconds: number): void
  committed(txn: ServiceTxn): void
  leaseLost(): void
  reflectorInterrupted(resource: string, reason: string): void
  /** In Prometheus' text format. */
  text(): Promise<string>
  readonly contentType: string
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5]

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const gauge = (name: string, help: string, read: () => number): void => {
    const made: Gauge = new Gauge({ name, help, registers, collect: () => made.set(read()) })
  }
  gauge('grpcetcd_leader', '1 on the replica that leads', () => Number(sources.leading()))
  gauge('grpcetcd_leases', 'etcd leases that are kept alive for GrpcServices', sources.leases)
  gauge('grpcetcd_workqueue_depth', 'GrpcServices that wait for their reconcile', sources.queued)
  const synced = new Gauge({
    name: 'grpcetcd_store_synced',
    help: '1 once a complete list of the resource was received',
    labelNames: ['resource'],
    registers,
    collect() {
      for (const [resource, ready] of sources.stores()) synced.set({ resource }, Number(ready))
    },
  })
  const reconciles = new Counter({
    name: 'grpcetcd_reconcile_total',
    help: 'reconciles of a GrpcService, by how they ended',
    labelNames: ['result'],
    registers,
  })
  const durations = new Histogram({
    name: 'grpcetcd_reconcile_duration_seconds',
    help: 'from the start of a reconcile to its end, commits included',
    buckets: SECONDS,
    registers,
  })
  const changes = new Counter({
    name: 'grpcetcd_endpoint_changes_total',
    help: 'keys written to etcd for endpoints',
    labelNames: ['op'],
    registers,
  })
  const puts = changes.labels('put')
  const deletes = changes.labels('delete')
  const losses = new Counter({
    name: 'grpcetcd_lease_losses_total',
    help: 'leases of GrpcServices that etcd no longer knew',
    registers,
  })
  const interruptions = new Counter({
    name: 'grpcetcd_reflector_restarts_total',
    help: 'lists and watches of Kubernetes that were interrupted',
    labelNames: ['resource', 'reason'],
    registers,
  })

  return {
    reconciled(result, seconds) {
      reconciles.inc({ result })
      durations.observe(seconds)
    },
    committed(txn) {
      puts.inc(txn.puts.size)
      deletes.inc(txn.deletes.length)
    },
    leaseLost: () => losses.inc(),
    reflectorInterrupted: (resource, reason) => interruptions.inc({ resource, reason }),
    text: async () => registry.metrics(),
    contentType: registry.contentType,
  }
}
