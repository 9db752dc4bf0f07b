/**
 * desired: from the sources of one GrpcService to the endpoints that should be in etcd. Pure; the order of its inputs does not
 * matter. Keeps: S9 (values by the shared codec), S10 (one key an address), S14 (a source that can not be used is reported and
 * leaves the others alone).
 */
import type { GrpcServiceSpec } from '../crds/grpc-service.ts'
import type { Problem } from '../crds/problem.ts'
import { parseAddress } from '../naming/address.ts'
import { encodeEndpoint } from '../naming/endpoint.ts'
import { encodeJson } from '../naming/json-encode.ts'
import { endpointKey } from '../naming/key.ts'
import { podAddresses } from './pod-address.ts'
import type { EndpointSource, PodSource } from './sources.ts'

export interface Inputs {
  /** Full target, key prefix included. */
  readonly target: string
  readonly spec: GrpcServiceSpec
  /** The Pods that `spec.pods.selector` matches. */
  readonly pods: readonly PodSource[]
  /** The GrpcEndpoints that refer to this service. */
  readonly endpoints: readonly EndpointSource[]
}

export interface Desired {
  /** Key to the exact value bytes, as a string. */
  readonly values: ReadonlyMap<string, string>
  /** What the user should mend; the endpoints concerned are not in `values`. */
  readonly problems: readonly Problem[]
  /**
   * Hosts whose endpoints stay as they are if they are there: their Pods exist and the spec asks for a port that they do not have, most
   * likely by mistake.
   */
  readonly retainedHosts: ReadonlySet<string>
}

export function desired(inputs: Inputs): Desired {
  const values = new Map<string, string>()
  const problems: Problem[] = []

  const pods = podAddresses(inputs.spec, inputs.pods)
  problems.push(...pods.problems)
  for (const addr of pods.addresses) {
    values.set(
      endpointKey(inputs.target, addr),
      encodeEndpoint({ addr, metadata: metadataValue(inputs.spec, undefined) }),
    )
  }
  // After the Pods, so that an explicit GrpcEndpoint wins where both name one address; by name, so that of two
  // GrpcEndpoints with one address the same one wins in every run.
  for (const source of inputs.endpoints.toSorted((a, b) => (a.name < b.name ? 1 : -1))) {
    if (!source.spec.ok) continue
    const { address, metadata, state } = source.spec.value
    const parsed = parseAddress(address)
    if (!parsed.ok || state === 'Drained') continue
    const addr = parsed.canonical
    values.set(
      endpointKey(inputs.target, addr),
      encodeEndpoint({ addr, metadata: metadataValue(inputs.spec, metadata) }),
    )
  }
  return { values, problems, retainedHosts: pods.retainedHosts }
}

/** The endpoint's Metadata: the service's, overlaid with its own; as a JSON string unless the spec asks for the object itself. */
function metadataValue(spec: GrpcServiceSpec, own: unknown): unknown {
  const merged = merge(spec.metadata, own)
  if (merged === undefined || merged === null) return null
  if (spec.metadataFormat === 'Object' || typeof merged === 'string') return merged
  return encodeJson(merged)
}

function merge(base: unknown, overlay: unknown): unknown {
  if (overlay === undefined) return base
  return isObject(base) && isObject(overlay) ? { ...base, ...overlay } : overlay
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
