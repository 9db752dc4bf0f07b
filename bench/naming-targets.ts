/** What is under the targets of the naming bench. Pure. All addresses are loopback, so one server is at all of them. */
import type { Endpoint } from 'grpc-etcd-operator/naming'

/** Who resolves. */
export type Side = 'ours' | 'go'
/** The name of a target for each; the endpoints under both are the same. */
export type Targets = Readonly<Record<Side, string>>

/** The name, in every target, of the endpoint that moves. */
export const MOVING = 'moving'

export function targetsOf(count: number): Targets {
  return { ours: `bench/ours-${count}`, go: `bench/go-${count}` }
}

/** They stay where they are. With some metadata, as real ones. */
export function fixedEndpoints(count: number, port: number): readonly Endpoint[] {
  return Array.from({ length: count }, (_, index) => ({
    addr: addressOf(1, index, port),
    metadata: { zone: `zone-${index % 3}`, weight: 1 + (index % 10) },
  }))
}

/** Where the endpoint that moves is after a change: never where it has been, so whoever sees the address knows the change. */
export function movingAddress(change: number, port: number): string {
  return addressOf(2, change, port)
}

function addressOf(network: number, index: number, port: number): string {
  return `127.${network}.${index >> 8}.${index & 255}:${port}`
}
