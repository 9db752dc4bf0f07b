/** Sources for tests of the pure core: whole records from the few fields that a case is about. Deep-frozen. */
import type { GrpcServiceSpec } from '../../src/crds/grpc-service.ts'
import type { EndpointSource, PodSource, ServiceSource } from '../../src/plan/sources.ts'

let resourceVersion = 1

export function pod(fields: Partial<PodSource> & { readonly name: string }): PodSource {
  return deepFreeze({
    key: `demo/${fields.name}`,
    namespace: 'demo',
    uid: `uid-${fields.name}`,
    resourceVersion: String((resourceVersion += 1)),
    labels: { app: 'greeter' },
    ips: ['10.0.0.1'],
    phase: 'Running',
    ready: true,
    containersReady: true,
    terminating: false,
    ports: [{ name: 'grpc', port: 50051 }],
    ...fields,
  })
}

export function endpoint(
  name: string,
  spec: { readonly address: string; readonly metadata?: unknown; readonly state?: 'Active' | 'Drained' },
): EndpointSource {
  return deepFreeze({
    key: `demo/${name}`,
    namespace: 'demo',
    name,
    uid: `uid-${name}`,
    resourceVersion: String((resourceVersion += 1)),
    generation: 1,
    service: 'demo/greeter',
    spec: { ok: true, value: { serviceRef: { name: 'greeter' }, state: 'Active', ...spec } },
    status: undefined,
  } satisfies EndpointSource)
}

export type SpecFields = Partial<Omit<GrpcServiceSpec, 'pods'>> & {
  readonly pods?: Partial<NonNullable<GrpcServiceSpec['pods']>>
}

export function serviceSpec(fields: SpecFields = {}): GrpcServiceSpec {
  const { pods, ...rest } = fields
  return deepFreeze({
    metadataFormat: 'String',
    leaseDurationSeconds: 600,
    pods: {
      selector: { matchLabels: { app: 'greeter' } },
      port: 'grpc',
      readiness: 'Ready',
      draining: 'Immediate',
      ipFamily: 'Primary',
      ...pods,
    },
    ...rest,
  })
}

export function service(fields: Partial<ServiceSource> & { readonly name: string }): ServiceSource {
  const key = `demo/${fields.name}`
  return deepFreeze({
    key,
    namespace: 'demo',
    uid: `uid-${fields.name}`,
    resourceVersion: String((resourceVersion += 1)),
    generation: 1,
    createdAt: '2026-01-01T00:00:00Z',
    target: key,
    spec: { ok: true, value: serviceSpec() },
    status: undefined,
    ...fields,
  } satisfies ServiceSource)
}

/** A test that mutates what a store or a watch handed out fails at the spot. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const item of Object.values(value)) deepFreeze(item)
  }
  return value
}
