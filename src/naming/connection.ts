/**
 * How an application says which etcd it means, and the connection that its managers, resolvers and registrations share.
 */
import { InvalidArgumentError } from '../errors.ts'
import { createEtcdClient } from '../etcd/client.ts'
import type { EtcdClient } from '../etcd/client.ts'
import { silentLog } from '../runtime/log.ts'
import type { Log } from '../runtime/log.ts'
import { createTargetWatches } from './target-watches.ts'
import type { TargetWatches } from './target-watches.ts'

/** Where etcd is and who we are to it. */
export interface EtcdOptions {
  /** `http://host:port` or `https://host:port`, `host:port` for http; all of one cluster, tried in turn. */
  readonly hosts: string | readonly string[]
  /** For `https://`. */
  readonly tls?: TlsOptions | undefined
  readonly auth?: AuthOptions | undefined
  /** Deadline of a request in milliseconds; 5,000 by default. Watches and renewals have none: they are opened again when they break. */
  readonly requestTimeoutMs?: number | undefined
  /** Without it nothing is logged. A pino logger fits. */
  readonly log?: Log | undefined
}

/** PEM, in memory or as files. Files are read again when a connection fails, so a replaced certificate is used without a restart. */
export interface TlsOptions {
  /** What signed the servers' certificates; without it what Node.js trusts. */
  readonly ca?: string | Buffer | undefined
  readonly caFile?: string | undefined
  /** Our certificate, where etcd asks for one. */
  readonly cert?: string | Buffer | undefined
  readonly certFile?: string | undefined
  readonly key?: string | Buffer | undefined
  readonly keyFile?: string | undefined
  /** The name that the servers' certificates carry, if it is not the host's. */
  readonly serverName?: string | undefined
}

/** A user of etcd and the password, in memory or in a file that is read whenever a token is asked for. */
export interface AuthOptions {
  readonly username: string
  readonly password?: string | undefined
  readonly passwordFile?: string | undefined
}

/**
 * A client of the etcd3 package. Its hosts, credentials, user and TLS name are taken over; its connections are not, because they can not be
 * watched for silence and replaced (docs/adr/0005).
 */
export interface Etcd3Client {
  /** What every `Etcd3` has, and no options. */
  getRoles(): Promise<unknown>
}

/** Options make a connection for one use, closed with it; an `EtcdConnection` is shared, and closed by who made it. */
export type EtcdSource = EtcdOptions | Etcd3Client | EtcdConnection

/** One etcd, for all managers, resolvers and registrations that are given it. Nothing is sent before one of them needs it. */
export class EtcdConnection {
  readonly #closing = new AbortController()
  /** @internal */
  readonly log: Log
  /** @internal */
  readonly client: EtcdClient
  /** @internal */
  readonly targets: TargetWatches

  /** @throws InvalidArgumentError when there is no host, or what is given is neither options nor an etcd3 client */
  constructor(source: EtcdOptions | Etcd3Client) {
    const { hosts, tls, auth, requestTimeoutMs = 5_000, log = silentLog } = optionsOf(source)
    this.log = log
    const endpoints = typeof hosts === 'string' ? [hosts] : hosts
    this.client = createEtcdClient({ ...tls, ...auth, endpoints, requestTimeoutMs, log })
    this.targets = createTargetWatches(this.client, log)
  }

  /** @internal */
  get closed(): AbortSignal {
    return this.#closing.signal
  }

  /** Ends every watch and renewal; later calls fail with UnavailableError, code `closed`. Endpoints of registrations expire. */
  close(): void {
    if (this.closed.aborted) return
    this.#closing.abort()
    this.targets.close()
    this.client.close()
  }
}

/** @internal */
export function connect(source: EtcdSource): { readonly connection: EtcdConnection; readonly release: () => void } {
  if (source instanceof EtcdConnection) return { connection: source, release() {} }
  const connection = new EtcdConnection(source)
  return {
    connection,
    release: () => {
      connection.close()
    },
  }
}

function optionsOf(source: EtcdOptions | Etcd3Client): EtcdOptions {
  if (typeof source !== 'object' || source === null) throw notEtcd()
  const options = 'hosts' in source ? source : optionsOfEtcd3(source)
  check(options)
  return options
}

/** For callers without a compiler, and for what a type can not say. */
function check({ hosts, tls, requestTimeoutMs = 1, log }: EtcdOptions): void {
  const list: readonly unknown[] = Array.isArray(hosts) ? hosts : [hosts]
  const wrong = list.find((host) => !isHost(host))
  if (list.length === 0 || wrong !== undefined || hosts === undefined) {
    const given = JSON.stringify(wrong ?? hosts) ?? 'undefined'
    throw refuse(`etcd hosts must be http://host:port or https://host:port, several as an array, got ${given}`)
  }
  const plain = list.find((host) => !String(host).startsWith('https://'))
  if (plain !== undefined && Object.values(tls ?? {}).some((value) => value !== undefined)) {
    throw refuse(`etcd tls is given, but ${JSON.stringify(plain)} would be spoken to in clear text: write https://`)
  }
  // More is more than a timer can count.
  if (!(requestTimeoutMs > 0 && requestTimeoutMs < 2 ** 31)) {
    throw refuse(`etcd requestTimeoutMs must be a number of milliseconds, got ${requestTimeoutMs}`)
  }
  const needed = ['debug', 'info', 'warn', 'error', 'child'] as const
  const missing = needed.find((name) => log !== undefined && typeof log[name] !== 'function')
  if (missing !== undefined) throw refuse(`etcd log has no method ${missing}(); a pino logger fits`)
}

function isHost(host: unknown): boolean {
  if (typeof host !== 'string' || !/^(?:https?:\/\/)?(?:\[[^\]]+\]|[^/@\s:,?#[\]]+):\d{1,5}\/?$/.test(host))
    return false
  return URL.canParse(host.includes('://') ? host : `http://${host}`)
}

function refuse(message: string): InvalidArgumentError {
  return new InvalidArgumentError(message, 'etcd')
}

function notEtcd(): InvalidArgumentError {
  return refuse('etcd must be given as { hosts }, as an Etcd3 of the etcd3 package, or as an EtcdConnection')
}

/** The part of etcd3's `IOptions` that says where etcd is and who we are. */
interface Etcd3Options {
  readonly hosts?: string | readonly string[]
  readonly credentials?: { readonly rootCertificate: Buffer; readonly privateKey?: Buffer; readonly certChain?: Buffer }
  readonly auth?: { readonly username: string; readonly password: string }
  readonly grpcOptions?: { readonly 'grpc.ssl_target_name_override'?: string }
}

function optionsOfEtcd3(client: Etcd3Client): EtcdOptions {
  const pool: unknown = Reflect.get(client, 'pool')
  const found: unknown = typeof pool === 'object' && pool !== null ? Reflect.get(pool, 'options') : undefined
  // A namespace of an Etcd3 has a pool too; its prefix would be lost.
  if (typeof client.getRoles !== 'function' || !isEtcd3Options(found)) throw notEtcd()
  const { hosts = '127.0.0.1:2379', credentials, auth, grpcOptions } = found
  const list = typeof hosts === 'string' ? [hosts] : hosts
  return {
    // With credentials etcd3 speaks TLS to hosts without a scheme.
    hosts: list.map((host) => (credentials !== undefined && !host.includes('://') ? `https://${host}` : host)),
    tls: {
      ca: credentials?.rootCertificate,
      cert: credentials?.certChain,
      key: credentials?.privateKey,
      serverName: grpcOptions?.['grpc.ssl_target_name_override'],
    },
    auth: auth && { username: auth.username, password: auth.password },
  }
}

function isEtcd3Options(value: unknown): value is Etcd3Options {
  return typeof value === 'object' && value !== null
}
