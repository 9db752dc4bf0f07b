/**
 * shapes: from whole Kubernetes objects to the slim records of `plan/sources.ts`. Total: whatever an object holds, a record comes
 * out, with its mistakes as values (S14). Nothing here throws.
 */
import { GROUP, VERSION } from '../crds/kinds.ts'
import { parseGrpcEndpoint } from '../crds/grpc-endpoint.ts'
import { parseGrpcService } from '../crds/grpc-service.ts'
import { isRecord, objectKey, type KubeObject, type Resource } from '../kube/resource.ts'
import { parseTarget } from '../naming/key.ts'
import type { EndpointSource, PodPort, PodSource, ServiceSource } from '../plan/sources.ts'

/** @param keyPrefix the configured prefix of every target */
export function grpcServices(keyPrefix: string): Resource<ServiceSource> {
  return {
    group: GROUP,
    version: VERSION,
    plural: 'grpcservices',
    kind: 'GrpcService',
    shape(object) {
      const spec = parseGrpcService(object)
      // Also of a spec that is wrong elsewhere: what is published under it stays, so nobody else may have it.
      const target = targetOf(object, keyPrefix)
      return {
        ...identity(object),
        generation: object.metadata.generation ?? 0,
        createdAt: object.metadata.creationTimestamp ?? '',
        target: target !== null && parseTarget(target).ok ? target : null,
        spec,
        status: object['status'],
      }
    },
  }
}

export const grpcEndpoints: Resource<EndpointSource> = {
  group: GROUP,
  version: VERSION,
  plural: 'grpcendpoints',
  kind: 'GrpcEndpoint',
  shape(object) {
    const spec = parseGrpcEndpoint(object)
    const service = text(at(object, 'spec', 'serviceRef', 'name'))
    return {
      ...identity(object),
      generation: object.metadata.generation ?? 0,
      service: service === undefined ? null : `${object.metadata.namespace ?? ''}/${service}`,
      spec,
      status: object['status'],
    }
  },
}

export const pods: Resource<PodSource> = {
  group: '',
  version: 'v1',
  plural: 'pods',
  kind: 'Pod',
  shape(object) {
    const { labels = {}, deletionTimestamp } = object.metadata
    const conditions = list(at(object, 'status', 'conditions'))
    return {
      ...identity(object),
      labels,
      ips: ips(object),
      phase: phase(at(object, 'status', 'phase')),
      ready: isTrue(conditions, 'Ready'),
      containersReady: isTrue(conditions, 'ContainersReady'),
      terminating: deletionTimestamp !== undefined,
      ports: ports(object),
    }
  },
}

function targetOf(object: KubeObject, keyPrefix: string): string | null {
  const given = at(object, 'spec', 'target')
  const { namespace = '', name } = object.metadata
  if (given === undefined) return `${keyPrefix}${namespace}/${name}`
  return typeof given === 'string' ? `${keyPrefix}${given}` : null
}

function identity(object: KubeObject) {
  const { namespace = '', name, uid, resourceVersion } = object.metadata
  return { key: objectKey(object.metadata), namespace, name, uid, resourceVersion }
}

function ips(object: KubeObject): readonly string[] {
  const primary = text(at(object, 'status', 'podIP'))
  const all = list(at(object, 'status', 'podIPs')).flatMap((entry) => text(at(entry, 'ip')) ?? [])
  return [...new Set(primary === undefined ? all : [primary, ...all])]
}

function phase(value: unknown): PodSource['phase'] {
  return value === 'Pending' || value === 'Running' || value === 'Succeeded' || value === 'Failed' ? value : 'Unknown'
}

function isTrue(conditions: readonly unknown[], type: string): boolean {
  return conditions.some((condition) => at(condition, 'type') === type && at(condition, 'status') === 'True')
}

/** Of the containers, and of the init containers that keep running beside them (restartPolicy: Always, KEP-753). */
function ports(object: KubeObject): readonly PodPort[] {
  const sidecars = list(at(object, 'spec', 'initContainers')).filter(
    (container) => at(container, 'restartPolicy') === 'Always',
  )
  return [...list(at(object, 'spec', 'containers')), ...sidecars].flatMap((container) =>
    list(at(container, 'ports')).flatMap((entry) => {
      const name = text(at(entry, 'name'))
      const port = at(entry, 'containerPort')
      return name !== undefined && typeof port === 'number' ? [{ name, port }] : []
    }),
  )
}

/** The value at a path of object fields, `undefined` where there is none. */
function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value
  for (const field of path) {
    if (!isRecord(current) || !Object.hasOwn(current, field)) return undefined
    current = current[field]
  }
  return current
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
