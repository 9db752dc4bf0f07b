/**
 * What the plan is made of, read from Kubernetes: slim records, a dozen fields each. `controllers/shapes.ts` makes them from
 * whole objects.
 */
import type { GrpcEndpointSpec } from '../crds/grpc-endpoint.ts'
import type { GrpcServiceSpec } from '../crds/grpc-service.ts'
import type { ParseResult } from '../crds/problem.ts'

/** `namespace/name` of a GrpcService: the unit of work. */
export type ServiceKey = string

export interface ServiceSource {
  readonly key: ServiceKey
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation: number
  /** RFC 3339; the older of two GrpcServices wins a target that nobody holds yet. */
  readonly createdAt: string
  /** The full target, key prefix included, also when the rest of the spec is wrong. `null`: not a usable one. */
  readonly target: string | null
  readonly spec: ParseResult<GrpcServiceSpec>
  /** `.status` as it stands, to write it only when it changes. */
  readonly status: unknown
}

export interface EndpointSource {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation: number
  /** The GrpcService it belongs to; `null` when the spec does not say. */
  readonly service: ServiceKey | null
  readonly spec: ParseResult<GrpcEndpointSpec>
  readonly status: unknown
}

export interface PodPort {
  readonly name: string
  readonly port: number
}

export interface PodSource {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  readonly labels: Readonly<Record<string, string>>
  /** The Pod's addresses, the primary one first. */
  readonly ips: readonly string[]
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  readonly ready: boolean
  readonly containersReady: boolean
  /** deletionTimestamp is set. */
  readonly terminating: boolean
  /** Named ports of all containers, sidecars included. */
  readonly ports: readonly PodPort[]
}
