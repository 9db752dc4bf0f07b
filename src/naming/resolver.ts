/**
 * The resolver of grpc-js for `etcd:///target`: hands what `resolved-target.ts` knows to a channel. It answers every channel by itself
 * whenever something changes, so it ignores the balancer's wish for another resolution: pushing an unchanged list would make it connect
 * anew, and ask again.
 */
import { randomInt } from 'node:crypto'
import { experimental, Metadata, status } from '@grpc/grpc-js'
import { InvalidArgumentError } from '../errors.ts'
import type { Log } from '../runtime/log.ts'
import { connect } from './connection.ts'
import type { EtcdSource } from './connection.ts'
import { createResolvedTarget } from './resolved-target.ts'
import type { Resolution, ResolvedTarget } from './resolved-target.ts'
import { authorityOf, parseTargetUri } from './target-uri.ts'

/** How channels are told where their servers are. */
export interface ResolverOptions {
  /** `etcd` by default. grpc-js has one registry for the process, so a second etcd needs a second scheme. */
  readonly scheme?: string | undefined
  /**
   * Spread the calls of every channel over all endpoints. Without it the channel's own service config decides; grpc-js' default is
   * `pick_first`, one endpoint for all calls.
   */
  readonly loadBalancing?: 'round_robin' | undefined
  /**
   * How long the last list stays in force, in milliseconds, when a target becomes empty (`Infinity`: until it is not); 0 by default: calls fail at once with UNAVAILABLE,
   * as they do at a target that was empty from the start.
   */
  readonly emptyGraceMs?: number | undefined
}

/** What `registerEtcdResolver` made. */
export interface EtcdResolver {
  /** Channels keep what they have and are told nothing new. Closes the connection if it was made for this resolver. */
  close(): void
}

type Config = Parameters<experimental.ResolverListener>[2]

const ROUND_ROBIN: Config = {
  ok: true,
  value: { loadBalancingConfig: [{ round_robin: {} }], methodConfig: [] },
}

interface Shared {
  readonly targetOf: (name: string) => ResolvedTarget
  readonly serviceConfig: Config
}

/**
 * Makes `new Client('etcd:///my-service', …)` of @grpc/grpc-js find its servers in etcd, as Go's `resolver.NewBuilder`. For channels that
 * are created later; registering a scheme again replaces it for those.
 *
 * A channel fails its calls with UNAVAILABLE, and says why, while etcd was never reached or the target is empty. Once it had a list it keeps
 * the last one while etcd is away.
 *
 * @throws InvalidArgumentError what is given is no etcd, or an option makes no sense
 */
export function registerEtcdResolver(etcd: EtcdSource, options: ResolverOptions = {}): EtcdResolver {
  check(options)
  const { scheme = 'etcd', loadBalancing, emptyGraceMs = 0 } = options
  const { connection, release } = connect(etcd)
  const { targets, log } = connection
  warnOfProxies(log)
  const seed = randomInt(2 ** 31)
  const resolved = new Map<string, ResolvedTarget>()
  const shared: Shared = {
    serviceConfig: loadBalancing === 'round_robin' ? ROUND_ROBIN : null,
    targetOf(target) {
      const known = resolved.get(target) ?? createResolvedTarget({ target, targets, emptyGraceMs, seed, log })
      resolved.set(target, known)
      return known
    },
  }
  experimental.registerResolver(
    scheme,
    class extends ChannelResolver {
      constructor(uri: experimental.GrpcUri, listener: experimental.ResolverListener) {
        super(shared, uri, listener)
      }

      static getDefaultAuthority(uri: experimental.GrpcUri): string {
        return authorityOf(targetOf(uri))
      }
    },
  )
  return { close: release }
}

function check({ scheme = 'etcd', loadBalancing, emptyGraceMs = 0 }: ResolverOptions): void {
  const refuse = (what: string) => new InvalidArgumentError(`registerEtcdResolver: ${what}`, 'etcd')
  if (!/^[A-Za-z][A-Za-z0-9+.-]*$/.test(scheme)) throw refuse(`"${scheme}" is not a scheme, as in etcd:///my-service`)
  if (!(loadBalancing === undefined || loadBalancing === 'round_robin')) {
    throw refuse("loadBalancing must be 'round_robin'; other policies are for the channel's service config")
  }
  if (!(emptyGraceMs >= 0)) throw refuse(`emptyGraceMs must be 0 or more milliseconds, got ${emptyGraceMs}`)
}

/** grpc-js sends `etcd:///…` to a proxy that these name, and asks no resolver. */
const PROXY_VARIABLES = ['grpc_proxy', 'https_proxy', 'http_proxy']

function warnOfProxies(log: Log): void {
  const variables = PROXY_VARIABLES.filter((name) => (process.env[name] ?? '') !== '')
  if (variables.length === 0) return
  log.warn({ variables }, "grpc-js may dial a proxy instead of etcd's endpoints: set grpc.enable_http_proxy to 0")
}

/** One channel's. */
class ChannelResolver implements experimental.Resolver {
  readonly #target: string
  readonly #shared: Shared
  readonly #listener: experimental.ResolverListener
  #leave: (() => void) | undefined

  constructor(shared: Shared, uri: experimental.GrpcUri, listener: experimental.ResolverListener) {
    this.#target = targetOf(uri)
    this.#shared = shared
    this.#listener = listener
  }

  updateResolution(): void {
    this.#leave ??= this.#shared.targetOf(this.#target).listen((resolution) => {
      this.#hand(resolution)
    })
  }

  /** Also when the channel goes idle: then `updateResolution` begins anew. */
  destroy(): void {
    this.#leave?.()
    this.#leave = undefined
  }

  #hand(resolution: Resolution): void {
    if (resolution.kind === 'failed') return this.#fail(resolution.error.message, this.#shared.serviceConfig)
    const endpoints = resolution.addresses.map(({ dial }) => ({ addresses: [dial] }))
    if (endpoints.length > 0) {
      this.#listener({ ok: true, value: endpoints }, {}, this.#shared.serviceConfig, '')
      return
    }
    // pick_first would go on with a connection to an endpoint that is gone; round_robin without any fails as the target is: empty.
    this.#listener({ ok: true, value: [] }, {}, ROUND_ROBIN, '')
    this.#fail('it has no endpoints', ROUND_ROBIN)
  }

  #fail(reason: string, serviceConfig: Config): void {
    const details = `etcd target "${this.#target}": ${reason}`
    const error = { code: status.UNAVAILABLE, details, metadata: new Metadata() }
    this.#listener({ ok: false, error }, {}, serviceConfig, '')
  }
}

/** grpc-js took the name apart in its own way; put together again it is what the application wrote, for Go's way. */
function targetOf(uri: experimental.GrpcUri): string {
  const text = experimental.uriToString(uri)
  const parsed = parseTargetUri(text)
  if (!parsed.ok) throw new InvalidArgumentError(parsed.error, text)
  return parsed.target
}
