/**
 * The `Kv` port and the two raw streams over the network, on the etcd3 package as codec; the only file that imports it. Of etcd3 only
 * the service classes are used: its channels, retries, circuit breakers, watcher and leases are bypassed, because a write must be sent
 * once and its outcome be known (`transport.ts`, `status-errors.ts`), and a server at an IP address be verified.
 */
import { checkServerIdentity } from 'node:tls'
import { connectivityState, credentials } from '@grpc/grpc-js'
import type { ChannelCredentials, ChannelOptions, Client, ServiceClientConstructor } from '@grpc/grpc-js'
import { Etcd3 } from 'etcd3'
import type { Log } from '../runtime/log.ts'
import { describeError, ForbiddenError, RejectedError } from '../errors.ts'
import { dialAddress, hostOf, isSecure, sniOf } from './endpoint-url.ts'
import type { Kv, LeaseId } from './kv.ts'
import type { Secrets, SecretSources } from './secrets.ts'
import type { KeepAliveMessage, Stream, StreamHandlers, WatchMessage, WatchRequest } from './streams.ts'
import { createTransport } from './transport.ts'
import type { Duplex, Unary } from './transport.ts'
import * as wire from './wire.ts'

export interface EtcdClientOptions extends SecretSources {
  /** `http://host:port` or `https://host:port`; all of one cluster. */
  readonly endpoints: readonly string[]
  /** The name that the server's certificate has to carry, if it is not the endpoint's. */
  readonly serverName?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Instead of `password`: read whenever a token is asked for. A newline at its end is ignored. */
  readonly passwordFile?: string | undefined
  /** Deadline of every call but the streams. */
  readonly requestTimeoutMs: number
  readonly log: Log
}

/** Of the member that we are connected to. */
export interface StoreStatus {
  /** The server's, e.g. `3.7.3`. */
  readonly version: string
  readonly clusterId: string
  readonly revision: number
  readonly dbSizeBytes: number
  /** Member ID of the cluster's leader; `0`: there is none. */
  readonly leader: string
}

/** Of a lease, in whole seconds. */
export interface LeaseTimes {
  readonly grantedTtlSeconds: number
  readonly remainingTtlSeconds: number
}

export interface EtcdClient extends Kv {
  openWatch(handlers: StreamHandlers<WatchMessage>, signal: AbortSignal): Promise<Stream<WatchRequest>>
  openKeepAlive(handlers: StreamHandlers<KeepAliveMessage>, signal: AbortSignal): Promise<Stream<LeaseId>>
  /** Deletes the keys that are attached to the lease, in one revision. Idempotent: a lease that is gone is success. */
  leaseRevoke(id: LeaseId, signal: AbortSignal): Promise<void>
  /** `undefined`: there is no such lease (any more). */
  leaseTimeToLive(id: LeaseId, signal: AbortSignal): Promise<LeaseTimes | undefined>
  status(signal: AbortSignal): Promise<StoreStatus>
  /** Calls made later fail with `UnavailableError`; those on their way may finish. */
  close(): void
}

const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': -1,
  // etcd answers pings that come more often than every 5 s with GOAWAY.
  'grpc.keepalive_time_ms': 6_000,
  'grpc.keepalive_timeout_ms': 3_000,
  // etcd throws out a connection that pings without a stream, in the middle of what is sent just then. So an idle one is given up instead.
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.client_idle_timeout_ms': 10_000,
  // As Go's client: `http_proxy` is meant for the web.
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.service_config_disable_resolution': 1,
}

export function createEtcdClient(options: EtcdClientOptions): EtcdClient {
  const transport = createTransport({
    ...options,
    dial: (endpoint, secrets, generation) => dial(endpoint, secrets, generation, options.serverName),
  })

  return {
    async txn(txn, signal) {
      const kind = [...txn.success, ...txn.failure].every((op) => op.kind === 'range') ? 'read' : 'write'
      return wire.txnFromWire(await transport.call((stubs) => stubs.txn, wire.txnToWire(txn), kind, signal))
    },
    async range(range, signal) {
      const request = wire.rangeRequestToWire(range)
      const response = await transport.call((stubs) => stubs.range, request, 'read', signal)
      return { header: wire.headerFromWire(response.header), ...wire.rangeFromWire(response) }
    },
    async leaseGrant(id, ttlSeconds, signal) {
      const ID = wire.leaseToWire(id)
      try {
        const granted = await transport.call((stubs) => stubs.leaseGrant, { ID, TTL: ttlSeconds }, 'read', signal)
        return wire.numberFromWire(granted.TTL)
      } catch (error) {
        if (!(error instanceof RejectedError && error.code === 'lease-exists')) throw error
        const held = await transport.call((stubs) => stubs.leaseTimeToLive, { ID }, 'read', signal)
        return wire.numberFromWire(held.grantedTTL)
      }
    },
    async leaseRevoke(id, signal) {
      try {
        await transport.call((stubs) => stubs.leaseRevoke, { ID: wire.leaseToWire(id) }, 'write', signal)
      } catch (error) {
        if (!(error instanceof RejectedError && error.code === 'lease-not-found')) throw error
      }
    },
    async leaseTimeToLive(id, signal) {
      const times = await transport.call((stubs) => stubs.leaseTimeToLive, { ID: wire.leaseToWire(id) }, 'read', signal)
      const remainingTtlSeconds = wire.numberFromWire(times.TTL)
      // etcd answers −1 for a lease that it does not have.
      if (remainingTtlSeconds < 0) return undefined
      return { grantedTtlSeconds: wire.numberFromWire(times.grantedTTL), remainingTtlSeconds }
    },
    async openWatch(handlers, signal) {
      const stream = await transport.open((stubs) => stubs.watch, decoding(handlers, wire.watchMessageFromWire), signal)
      return encoding(stream, wire.watchRequestToWire)
    },
    async openKeepAlive(handlers, signal) {
      const decoded = decoding(handlers, wire.keepAliveFromWire)
      const stream = await transport.open((stubs) => stubs.leaseKeepAlive, decoded, signal)
      return encoding(stream, (id: LeaseId) => ({ ID: wire.leaseToWire(id) }))
    },
    async status(signal) {
      const response = await transport.call((stubs) => stubs.status, {}, 'read', signal)
      return {
        ...wire.headerFromWire(response.header),
        version: response.version,
        dbSizeBytes: wire.numberFromWire(response.dbSize),
        leader: response.leader,
      }
    },
    close: () => {
      transport.close()
    },
  }
}

function decoding<Wire, Message>(
  handlers: StreamHandlers<Message>,
  decode: (message: Wire) => Message,
): StreamHandlers<Wire> {
  return {
    onMessage: (message) => {
      handlers.onMessage(decode(message))
    },
    onEnd: (error) => {
      handlers.onEnd(error)
    },
  }
}

function encoding<Request>(stream: Stream<object>, encode: (request: Request) => object): Stream<Request> {
  return {
    ...stream,
    write: (request) => {
      stream.write(encode(request))
    },
  }
}

interface Stubs {
  readonly txn: Unary<wire.WireTxnResponse>
  readonly range: Unary<wire.WireRangeResponse>
  readonly leaseGrant: Unary<{ readonly TTL: string }>
  readonly leaseRevoke: Unary<object>
  readonly leaseTimeToLive: Unary<{ readonly grantedTTL: string; readonly TTL: string }>
  readonly status: Unary<wire.WireStatusResponse>
  readonly authenticate: Unary<{ readonly token: string }>
  readonly watch: Duplex<wire.WireWatchResponse>
  readonly leaseKeepAlive: Duplex<wire.WireKeepAliveResponse>
  isReached(deadline: number): Promise<boolean>
  close(): void
}

/** The way past etcd3's channels and call policies to the service classes that it makes of the proto files. */
class Codec extends Etcd3 {
  service(name: 'KV' | 'Lease' | 'Watch' | 'Maintenance' | 'Auth'): Promise<ServiceClientConstructor> {
    return this.pool.withConnection(name, ({ client }) => Reflect.get(client, 'constructor'))
  }
}

async function dial(endpoint: URL, secrets: Secrets, generation: number, serverName?: string): Promise<Stubs> {
  const secure = isSecure(endpoint)
  const channelOptions: ChannelOptions = {
    ...CHANNEL_OPTIONS,
    // grpc-js shares TCP connections between channels with equal options: this one differs from every earlier, dead one.
    'grpc_etcd.generation': generation,
    ...(secure && { 'grpc.ssl_target_name_override': serverName ?? sniOf(endpoint) }),
    ...(serverName !== undefined && { 'grpc.default_authority': serverName }),
  }
  const channelCredentials = secure ? createTls(endpoint, secrets, serverName) : credentials.createInsecure()
  const codec = new Codec()
  const connect = async (name: Parameters<Codec['service']>[0]): Promise<Client> => {
    const Service = await codec.service(name)
    return new Service(dialAddress(endpoint), channelCredentials, channelOptions)
  }
  const clients = await Promise.all([
    connect('KV'),
    connect('Lease'),
    connect('Watch'),
    connect('Maintenance'),
    connect('Auth'),
  ])
  codec.close()
  const [kv, lease, watch, maintenance, auth] = clients
  return {
    txn: method(kv, 'txn'),
    range: method(kv, 'range'),
    leaseGrant: method(lease, 'leaseGrant'),
    leaseRevoke: method(lease, 'leaseRevoke'),
    leaseTimeToLive: method(lease, 'leaseTimeToLive'),
    status: method(maintenance, 'status'),
    authenticate: method(auth, 'authenticate'),
    watch: method(watch, 'watch'),
    leaseKeepAlive: method(lease, 'leaseKeepAlive'),
    isReached: (deadline) => isReached(kv, deadline),
    close: () => {
      for (const client of clients) client.close()
    },
  }
}

/** The clients of one connection share it: what is true of one is true of all. */
async function isReached(client: Client, deadline: number): Promise<boolean> {
  const channel = client.getChannel()
  for (let connect = true; ; connect = false) {
    const state = channel.getConnectivityState(connect)
    if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    channel.watchConnectivityState(state, deadline, (error) => {
      resolve(error === undefined)
    })
    if (!(await promise)) return false
  }
}

/** @throws ForbiddenError `unusable-certificate` for what is no PEM, or a key of another certificate (both are replaced one after the other) */
function createTls(endpoint: URL, { ca, key, cert }: Secrets, serverName?: string): ChannelCredentials {
  try {
    return credentials.createSsl(ca ?? null, key ?? null, cert ?? null, {
      checkServerIdentity: (_, certificate) => checkServerIdentity(serverName ?? hostOf(endpoint), certificate),
    })
  } catch (cause) {
    const target = `etcd ${endpoint.origin}`
    const message = `${target}: the TLS certificates given can not be used: ${describeError(cause)}`
    throw new ForbiddenError(message, { code: 'unusable-certificate', target, cause })
  }
}

/** grpc-js makes the methods at run time from the proto file: their types are ours to state, in `Stubs`. */
function method(client: Client, name: string) {
  return Reflect.get(client, name).bind(client)
}
