/** The cluster as this process sees it: one store a kind, with the indexes by which triggers and gather find what they need. */
import { Store } from '../kube/store.ts'
import { ancestors } from '../plan/conflict.ts'
import { terms } from '../plan/selector.ts'
import type { EndpointSource, PodSource, ServiceSource } from '../plan/sources.ts'
import { serviceAnchors, type ServiceLookup } from './triggers.ts'

export interface Stores {
  readonly services: Store<ServiceSource>
  readonly endpoints: Store<EndpointSource>
  readonly pods: Store<PodSource>
  readonly lookup: ServiceLookup
}

export function createStores(): Stores {
  const services = new Store<ServiceSource>({
    anchor: serviceAnchors,
    target: ({ target }) => (target === null ? [] : [target]),
    ancestor: ({ target }) => (target === null ? [] : ancestors(target)),
  })
  return {
    services,
    endpoints: new Store<EndpointSource>({ service: ({ service }) => (service === null ? [] : [service]) }),
    pods: new Store<PodSource>({ term: ({ namespace, labels }) => terms(namespace, labels) }),
    lookup: {
      byAnchor: (term) => services.byIndex('anchor', term),
      byTarget: (target) => services.byIndex('target', target),
      byAncestor: (target) => services.byIndex('ancestor', target),
    },
  }
}
