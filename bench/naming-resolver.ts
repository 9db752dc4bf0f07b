/**
 * An application with a channel of grpc-js to `etcd:///target`, by the built library. It prints, a line for each list of addresses, when
 * the channel was given it and which addresses were not in the one before: `[atMs, ["host:port", ...]]`. After the first one it prints
 * `ready`. A child process of the bench.
 */
import { parseArgs } from 'node:util'

import { Client, credentials, experimental } from '@grpc/grpc-js'
import { registerEtcdResolver } from 'grpc-etcd-operator/naming'

import { wallMs } from './clock.ts'

const { values } = parseArgs({ options: { etcd: { type: 'string' }, target: { type: 'string' } } })
let known: ReadonlySet<string> | undefined

/** Takes the time first and prints last, as the Go program does: printing must not delay the channel. */
function timed(listener: experimental.ResolverListener): experimental.ResolverListener {
  return (endpoints, ...rest) => {
    const atMs = wallMs()
    const accepted = listener(endpoints, ...rest)
    if (!endpoints.ok) throw new Error(`the resolver told: ${endpoints.error.details}`)
    const addresses = endpoints.value.flatMap((endpoint) => endpoint.addresses)
    const before = known
    known = new Set(addresses.map(experimental.subchannelAddressToString))
    console.log(before === undefined ? 'ready' : JSON.stringify([atMs, [...known.difference(before)]]))
    return accepted
  }
}

registerEtcdResolver({ hosts: values.etcd ?? '' }, { loadBalancing: 'round_robin' })
experimental.registerResolver(
  'timed',
  class implements experimental.Resolver {
    readonly #resolver: experimental.Resolver

    constructor(...[uri, listener, options]: Parameters<typeof experimental.createResolver>) {
      this.#resolver = experimental.createResolver({ ...uri, scheme: 'etcd' }, timed(listener), options)
    }

    updateResolution(): void {
      this.#resolver.updateResolution()
    }

    destroy(): void {
      this.#resolver.destroy()
    }

    static getDefaultAuthority(): string {
      return 'bench'
    }
  },
)
new Client(`timed:///${values.target ?? ''}`, credentials.createInsecure()).getChannel().getConnectivityState(true)
