/**
 * gather: reads stores and mirrors, memory only, into the inputs of the plan for one GrpcService. Every set it returns is a
 * picture of one moment: nothing here awaits.
 */
import type { LeaseId } from '../etcd/kv.ts'
import type { LeaseState } from '../etcd/lease-keeper.ts'
import type { Mirror } from '../etcd/mirror.ts'
import { parseAddress } from '../naming/address.ts'
import { addressOf } from '../naming/key.ts'
import { winningRival, type Claim } from '../plan/conflict.ts'
import { desired, type Desired } from '../plan/desired.ts'
import type { LeaseHealth, Observed, OwnLease } from '../plan/observed.ts'
import type { StoredRecord } from '../plan/record.ts'
import { anchors, matches } from '../plan/selector.ts'
import type { EndpointSource, PodSource, ServiceKey, ServiceSource } from '../plan/sources.ts'
import type { Records } from './records.ts'
import type { Stores } from './stores.ts'
import type { Targets } from './targets.ts'
import { overlapping } from './triggers.ts'

/** What the service's sources give; `null` for a service whose spec can not be understood. */
export function gatherDesired(stores: Stores, service: ServiceSource, target: string): Desired | null {
  if (!service.spec.ok) return null
  const { value: spec } = service.spec
  const pods = spec.pods === undefined ? [] : selectedPods(stores, service.namespace, spec.pods.selector)
  return desired({ target, spec, pods, endpoints: endpointsOf(stores, service.key) })
}

/** Whether an owned key stays although it is not wanted: see `Desired.retainedHosts`. */
export function retains(wanted: Desired, target: string, key: string): boolean {
  if (wanted.retainedHosts.size === 0) return false
  const address = parseAddress(addressOf(target, key))
  return address.ok && wanted.retainedHosts.has(address.host)
}

export function endpointsOf(stores: Stores, service: ServiceKey): readonly EndpointSource[] {
  return [...stores.endpoints.byIndex('service', service)]
}

function selectedPods(
  stores: Stores,
  namespace: string,
  selector: Parameters<typeof anchors>[1],
): readonly PodSource[] {
  const found = new Map<string, PodSource>()
  for (const term of anchors(namespace, selector)) {
    for (const pod of stores.pods.byIndex('term', term)) {
      if (matches(selector, pod.labels)) found.set(pod.key, pod)
    }
  }
  return [...found.values()]
}

export interface ObservedOptions {
  readonly mirror: Mirror
  readonly record: StoredRecord | null
  readonly predecessors: readonly StoredRecord[]
  /** Granted for this service by this process, in no Record yet. */
  readonly spares: readonly { readonly id: LeaseId; readonly ttlSeconds: number }[]
  readonly leaseState: (id: LeaseId) => LeaseState
}

export function gatherObserved(options: ObservedOptions): Observed {
  const leases = new Map<LeaseId, OwnLease>()
  const recorded = [options.record, ...options.predecessors].flatMap((record) => record?.leases ?? [])
  for (const { id, ttlSeconds } of [...recorded, ...options.spares]) {
    const health: LeaseHealth = options.leaseState(id).kind
    leases.set(id, { id, ttlSeconds, health })
  }
  return {
    entries: options.mirror.entries,
    revision: options.mirror.observed,
    record: options.record,
    predecessors: options.predecessors,
    leases,
  }
}

/**
 * The service that has a better right to the target, or to one that overlaps with it; `null` when it is this service's. One whose spec can
 * not be understood counts as long as it is published: what it published stays.
 */
export function rivalOf(stores: Stores, records: Records, service: ServiceSource, target: string): ServiceKey | null {
  const claim = (of: ServiceSource): Claim => ({ service: of, incumbent: records.get(of.uid)?.target === of.target })
  const rivals = [...overlapping(target, stores.lookup)]
    .filter((other) => other.key !== service.key)
    .map(claim)
    .filter(({ incumbent, service: { key } }) => incumbent || stores.services.get(key)?.spec.ok === true)
  return rivals.length === 0 ? null : winningRival(claim(service), rivals)
}

/** Whether the service may write to this target: it is valid, it was not moved here, and nobody has a better right. */
export function mayPublish(stores: Stores, records: Records, service: ServiceSource, target: string): boolean {
  const published = records.get(service.uid)?.target ?? target
  return (
    service.spec.ok &&
    service.target === target &&
    published === target &&
    rivalOf(stores, records, service, target) === null
  )
}

/**
 * The service that still owns a key with this address under another target and no longer wants it (S10), or `null`. One that can not
 * act does not count: one object's trouble never delays another (S14).
 */
export function staleHolder(
  stores: Stores,
  records: Records,
  targets: Targets,
  target: string,
  key: string,
): ServiceKey | null {
  const address = addressOf(target, key)
  for (const other of targets.holders(address)) {
    if (other === target) continue
    const held = `${other}/${address}`
    const lease = targets.get(other)?.entries.get(held)?.lease ?? null
    const owner = records.ofTarget(other).find((record) => record.leases.some(({ id }) => id === lease))
    if (owner === undefined) continue
    const holder = stores.services.get(owner.service)
    if (holder === undefined || holder.uid !== owner.uid) return owner.service
    if (!mayPublish(stores, records, holder, other)) continue
    const wanted = gatherDesired(stores, holder, other)
    if (wanted !== null && !wanted.values.has(held) && !retains(wanted, other, held)) return owner.service
  }
  return null
}
