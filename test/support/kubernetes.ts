/**
 * A cluster as a test changes it: Pods with any status, GrpcServices and GrpcEndpoints, over plain HTTP with the admin's token, so that
 * thousands of objects take seconds and nothing of the operator's own client is between.
 */
import { readFileSync } from 'node:fs'
import { Pool } from 'undici'
import { z } from 'zod'
import type { ApiServer } from '../../dev/control-plane/api-server.ts'
import { eventually } from './eventually.ts'

const objectSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.number().default(0),
  }),
  status: z
    .looseObject({
      observedGeneration: z.number().default(-1),
      revision: z.string().optional(),
      target: z.string().optional(),
      key: z.string().optional(),
      endpoints: z.object({ desired: z.number(), registered: z.number() }).optional(),
      conditions: z
        .array(
          z.looseObject({
            type: z.string(),
            status: z.string(),
            reason: z.string().default(''),
            message: z.string().default(''),
          }),
        )
        .default([]),
    })
    .default({ observedGeneration: -1, conditions: [] }),
})

export type KubeObject = z.infer<typeof objectSchema>
export type Condition = KubeObject['status']['conditions'][number]
export type Plural = 'grpcservices' | 'grpcendpoints' | 'pods'

export interface PodSpec {
  readonly labels?: Readonly<Record<string, string>>
  /** The first is the primary one. */
  readonly ips?: readonly string[]
  /** Container ports by name. Default: `{grpc: 50051}`. */
  readonly ports?: Readonly<Record<string, number>>
  /** Default: true. */
  readonly ready?: boolean
}

export interface Kubernetes {
  /** A new namespace. */
  namespace(name: string): Promise<Namespace>
  /** @throws on an answer of 400 or more */
  request(method: string, path: string, body?: unknown): Promise<unknown>
  close(): Promise<void>
}

export interface Namespace {
  readonly name: string
  /** A Pod that runs, with its status. */
  pod(name: string, spec?: PodSpec): Promise<KubeObject>
  /** Replaces addresses and readiness of a Pod. */
  setPod(name: string, spec: Pick<PodSpec, 'ips' | 'ready'>): Promise<void>
  service(name: string, spec: object): Promise<KubeObject>
  endpoint(name: string, spec: object): Promise<KubeObject>
  get(plural: Plural, name: string): Promise<KubeObject>
  /** Merge patch. */
  patch(plural: Plural, name: string, patch: object): Promise<KubeObject>
  /** Pods at once, without grace; `graceSeconds` leaves a Pod terminating, for nobody is there to end it. */
  delete(plural: Plural, name: string, graceSeconds?: number): Promise<void>
  /** Waits until `<type>=<status or reason>` holds for the present generation. */
  until(plural: Plural, name: string, condition: `${string}=${string}`, deadlineMs?: number): Promise<KubeObject>
  /** Waits until the status of a GrpcService counts so many endpoints, desired and registered: the last one, not one on the way. */
  untilRegistered(name: string, count: number, deadlineMs?: number): Promise<KubeObject>
}

/** @param api its certificate is read, nothing of it is called */
export function createKubernetes(api: Pick<ApiServer, 'url' | 'caFile' | 'token'>): Kubernetes {
  const pool = new Pool(api.url, { connections: 8, connect: { ca: readFileSync(api.caFile) } })

  async function request(method: string, path: string, body?: unknown): Promise<unknown> {
    const { statusCode, body: answer } = await pool.request({
      path,
      method,
      headers: {
        authorization: `Bearer ${api.token}`,
        accept: 'application/json',
        'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
      },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await answer.text()
    if (statusCode >= 400) throw new Error(`${method} ${path}: ${statusCode} ${text}`)
    return JSON.parse(text)
  }

  return {
    request,
    close: async () => pool.close(),
    async namespace(name) {
      await request('POST', '/api/v1/namespaces', { metadata: { name } })
      return createNamespace(name, request)
    },
  }
}

function createNamespace(name: string, request: Kubernetes['request']): Namespace {
  const path = (plural: Plural, ...rest: readonly string[]): string =>
    [plural === 'pods' ? '/api/v1' : '/apis/grpcetcd.dev/v1alpha1', 'namespaces', name, plural, ...rest].join('/')
  const object = (answer: unknown): KubeObject => objectSchema.parse(answer)
  const create = async (plural: Plural, kind: string, objectName: string, spec: object): Promise<KubeObject> => {
    const apiVersion = 'grpcetcd.dev/v1alpha1'
    return object(await request('POST', path(plural), { apiVersion, kind, metadata: { name: objectName }, spec }))
  }

  const namespace: Namespace = {
    name,
    async pod(podName, spec = {}) {
      const ports = Object.entries(spec.ports ?? { grpc: 50051 }).map(([port, containerPort]) => ({
        name: port,
        containerPort,
      }))
      await request('POST', path('pods'), {
        metadata: { name: podName, labels: spec.labels ?? {} },
        spec: { nodeName: 'node', containers: [{ name: 'main', image: 'server', ports }] },
      })
      const { ips = [], ready = true } = spec
      return object(await request('PATCH', path('pods', podName, 'status'), podStatus(ips, ready)))
    },
    async setPod(podName, { ips, ready = true }) {
      const present = await request('GET', path('pods', podName))
      const kept = z.object({ status: z.object({ podIPs: z.array(z.object({ ip: z.string() })).default([]) }) })
      const addresses = ips ?? kept.parse(present).status.podIPs.map(({ ip }) => ip)
      await request('PATCH', path('pods', podName, 'status'), podStatus(addresses, ready))
    },
    service: async (objectName, spec) => create('grpcservices', 'GrpcService', objectName, spec),
    endpoint: async (objectName, spec) => create('grpcendpoints', 'GrpcEndpoint', objectName, spec),
    get: async (plural, objectName) => object(await request('GET', path(plural, objectName))),
    patch: async (plural, objectName, patch) => object(await request('PATCH', path(plural, objectName), patch)),
    async delete(plural, objectName, graceSeconds = 0) {
      await request('DELETE', path(plural, objectName), { gracePeriodSeconds: graceSeconds })
    },
    async until(plural, objectName, condition, deadlineMs) {
      let last: KubeObject | undefined
      const [type = '', wanted = ''] = condition.split('=')
      const look = async (): Promise<KubeObject | undefined> => {
        last = await namespace.get(plural, objectName)
        if (last.status.observedGeneration !== last.metadata.generation) return undefined
        const found = conditionOf(last, type)
        return found?.status === wanted || found?.reason === wanted ? last : undefined
      }
      try {
        return await eventually('', look, deadlineMs)
      } catch (error) {
        const status = JSON.stringify(last?.status)
        throw new Error(`${plural} ${name}/${objectName} is not ${condition}: ${status}`, { cause: error })
      }
    },
    async untilRegistered(objectName, count, deadlineMs) {
      const look = async (): Promise<KubeObject | undefined> => {
        const service = await namespace.get('grpcservices', objectName)
        const { desired, registered } = service.status.endpoints ?? {}
        return desired === count && registered === count ? service : undefined
      }
      return eventually(`${name}/${objectName} counts ${count}`, look, deadlineMs)
    },
  }
  return namespace
}

export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  return object.status.conditions.find((condition) => condition.type === type)
}

function podStatus(ips: readonly string[], ready: boolean): object {
  const status = ready ? 'True' : 'False'
  return {
    status: {
      phase: 'Running',
      podIP: ips[0] ?? null,
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [
        { type: 'Ready', status },
        { type: 'ContainersReady', status },
      ],
    },
  }
}
