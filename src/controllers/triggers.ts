/**
 * triggers: from a changed object to the services whose endpoints it may change. Pure. A change that can not alter membership stops
 * here (endpointslice's GetPodUpdateProjectionKey is the same idea), and services are found by index, never by a scan.
 */
import type { Change } from '../kube/store.ts'
import { anchors, matches, terms } from '../plan/selector.ts'
import { ancestors } from '../plan/conflict.ts'
import type { EndpointSource, PodSource, ServiceKey, ServiceSource } from '../plan/sources.ts'

/** How services are found: the indexes of the GrpcService store. */
export interface ServiceLookup {
  /** Services whose selector has this anchor. */
  byAnchor(term: string): Iterable<ServiceSource>
  /** Services that ask for exactly this target. */
  byTarget(target: string): Iterable<ServiceSource>
  /** Services whose target lies below this one. */
  byAncestor(target: string): Iterable<ServiceSource>
}

export function podTriggers(change: Change<PodSource>, services: ServiceLookup): ReadonlySet<ServiceKey> {
  const found = new Set<ServiceKey>()
  const { before, after } = change
  if (before !== undefined && after !== undefined && sameMembership(before, after)) return found
  for (const pod of [before, after]) {
    if (pod === undefined) continue
    for (const service of selecting(pod, services)) found.add(service.key)
  }
  return found
}

/** The services whose selector matches the Pod. */
function* selecting(pod: PodSource, services: ServiceLookup): Iterable<ServiceSource> {
  for (const term of terms(pod.namespace, pod.labels)) {
    for (const service of services.byAnchor(term)) {
      if (
        service.spec.ok &&
        service.spec.value.pods !== undefined &&
        matches(service.spec.value.pods.selector, pod.labels)
      )
        yield service
    }
  }
}

export function endpointTriggers({ before, after }: Change<EndpointSource>): ReadonlySet<ServiceKey> {
  const found = new Set<ServiceKey>()
  if (before !== undefined && after !== undefined && before.generation === after.generation) return found
  for (const endpoint of [before, after])
    if (endpoint !== undefined && endpoint.service !== null) found.add(endpoint.service)
  return found
}

/** The service itself, and those whose target it gives up or claims: they may win or lose a conflict. */
export function serviceTriggers(
  { before, after }: Change<ServiceSource>,
  services: ServiceLookup,
): ReadonlySet<ServiceKey> {
  const found = new Set<ServiceKey>()
  if (before !== undefined && after !== undefined && before.generation === after.generation) return found
  for (const service of [before, after]) {
    if (service === undefined) continue
    found.add(service.key)
    if (service.target === null || (before !== undefined && after !== undefined && before.target === after.target))
      continue
    for (const rival of overlapping(service.target, services)) found.add(rival.key)
  }
  return found
}

/** Every service whose target is this one, above it or below it. */
export function* overlapping(target: string, services: ServiceLookup): Iterable<ServiceSource> {
  yield* services.byTarget(target)
  yield* services.byAncestor(target)
  for (const ancestor of ancestors(target)) yield* services.byTarget(ancestor)
}

/** The index terms of a service: see `selector.ts`. */
export function serviceAnchors(service: ServiceSource): readonly string[] {
  if (!service.spec.ok || service.spec.value.pods === undefined) return []
  return anchors(service.namespace, service.spec.value.pods.selector)
}

function sameMembership(a: PodSource, b: PodSource): boolean {
  return (
    a.ready === b.ready &&
    a.containersReady === b.containersReady &&
    a.terminating === b.terminating &&
    a.phase === b.phase &&
    a.uid === b.uid &&
    sameList(a.ips, b.ips) &&
    sameLabels(a.labels, b.labels)
  )
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i])
}

function sameLabels(a: PodSource['labels'], b: PodSource['labels']): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}
