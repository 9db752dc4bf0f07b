/**
 * Which Pods serve, and under which addresses: readiness, draining, ports and IP families of `spec.pods`. Keeps S14: a Pod
 * without the port is named in a Problem and the others are published.
 */
import type { GrpcServiceSpec } from '../crds/grpc-service.ts'
import type { Problem } from '../crds/problem.ts'
import { parseHostPort } from '../naming/address.ts'
import type { PodSource } from './sources.ts'

type PodsSpec = NonNullable<GrpcServiceSpec['pods']>

export interface PodAddresses {
  readonly addresses: readonly string[]
  readonly problems: readonly Problem[]
  /** Addresses of Pods that are there but give no endpoint for want of the port: no reason to remove what is published of them. */
  readonly retainedHosts: ReadonlySet<string>
}

export function podAddresses(spec: GrpcServiceSpec, pods: readonly PodSource[]): PodAddresses {
  if (spec.pods === undefined) return { addresses: [], problems: [], retainedHosts: new Set() }
  const wanted = spec.pods
  const alive = pods.filter((pod) => pod.phase !== 'Succeeded' && pod.phase !== 'Failed')
  const serving = members(wanted, alive)
  const addresses: string[] = []
  for (const pod of serving) {
    const port = portOf(wanted, pod)
    if (port === undefined) continue
    for (const ip of ipsOf(wanted, pod)) {
      const address = parseHostPort(ip, port)
      if (address.ok) addresses.push(address.canonical)
    }
  }
  const portless = alive.filter((pod) => portOf(wanted, pod) === undefined)
  return {
    addresses,
    problems: portless.length === 0 ? [] : [portNotFound(wanted, portless)],
    retainedHosts: new Set(portless.flatMap((pod) => pod.ips)),
  }
}

/**
 * The Pods to publish. A terminating Pod goes at once under `Immediate` and when it stops serving under `WhileServing`; but where
 * nothing else is left, the terminating ones that still serve stay under either: a list with a dying endpoint beats an empty one.
 */
function members(spec: PodsSpec, pods: readonly PodSource[]): readonly PodSource[] {
  const serving = pods.filter((pod) => serves(spec, pod) && pod.ips.length > 0)
  if (spec.draining === 'WhileServing') return serving
  const staying = serving.filter((pod) => !pod.terminating)
  return staying.length > 0 ? staying : serving
}

function serves(spec: PodsSpec, pod: PodSource): boolean {
  switch (spec.readiness) {
    case 'Ready':
      return pod.ready
    case 'ContainersReady':
      return pod.containersReady
    case 'Running':
      return pod.phase === 'Running'
  }
}

function portOf(spec: PodsSpec, pod: PodSource): number | undefined {
  if (typeof spec.port === 'number') return spec.port
  return pod.ports.find((port) => port.name === spec.port)?.port
}

function ipsOf(spec: PodsSpec, pod: PodSource): readonly string[] {
  switch (spec.ipFamily) {
    case 'Primary':
      return pod.ips.slice(0, 1)
    case 'IPv4':
      return pod.ips.filter((ip) => !ip.includes(':'))
    case 'IPv6':
      return pod.ips.filter((ip) => ip.includes(':'))
    case 'All':
      return pod.ips
  }
}

function portNotFound(spec: PodsSpec, pods: readonly PodSource[]): Problem {
  const [first] = pods.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const more = pods.length > 1 ? ` (and ${pods.length - 1} more)` : ''
  const have = (first?.ports ?? []).map((port) => `${JSON.stringify(port.name)} (${port.port})`)
  const there = have.length === 0 ? 'it names none' : `it has: ${have.join(', ')}`
  return {
    reason: 'PortNotFound',
    path: 'spec.pods.port',
    message: `no container of Pod ${first?.name ?? ''}${more} has a port named ${JSON.stringify(spec.port)}; ${there}`,
  }
}
