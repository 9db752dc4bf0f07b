/**
 * Which endpoint of the cluster is spoken to: one connection at a time, to one endpoint after the other.
 *
 * A connection is one TCP connection and disposable. Once dropped it is never handed out again, and the next one goes to the next endpoint
 * with the certificate files as they are then. Streams that still live on it may finish there. A host that swallows what is sent to it
 * costs only its share of a deadline while there are others.
 */
import type { Log } from '../runtime/log.ts'
import { ConfigError, UnavailableError } from '../errors.ts'
import { endpointUrl } from './endpoint-url.ts'
import { readSecrets, sameSecrets } from './secrets.ts'
import type { Secrets, SecretSources } from './secrets.ts'

/** What is needed here of what was dialled. */
export interface Dialled {
  /** Whether the server has accepted or refused the connection by the deadline (`Date.now()`); `false`: there is no sign of it. */
  isReached(deadline: number): Promise<boolean>
  close(): void
}

export interface Connection<Stubs> {
  readonly endpoint: string
  /** For people: `etcd http://127.0.0.1:2379`. */
  readonly target: string
  readonly stubs: Stubs
  readonly secrets: Secrets
  readonly builtAtMs: number
  /** When the server last sent anything. */
  heardAtMs: number
  /** Not dropped: may be used. */
  live: boolean
  /** Shared by all who wait for it. */
  reached: Promise<boolean> | undefined
}

export interface ConnectionsOptions<Stubs extends Dialled> extends SecretSources {
  /** `generation` differs at every call in this process: what is dialled must share no TCP connection, nor its backoff, with another. */
  readonly dial: (endpoint: URL, secrets: Secrets, generation: number) => Promise<Stubs>
  readonly endpoints: readonly string[]
  readonly requestTimeoutMs: number
  readonly log: Log
}

export interface Connections<Stubs> {
  /**
   * For a request that has until the deadline (`Date.now()`). Hosts that are not reached in their share of the time are passed over; the
   * last one gets all that is left.
   * @throws UnavailableError `closed`; ConfigError, ForbiddenError of certificates that can not be read or used
   */
  get(deadline: number): Promise<Connection<Stubs>>
  /**
   * Why nothing can be sent on it any more: code `closed`, or `replaced`, of which the next `get` knows more. To be asked in the turn of the
   * event loop in which it is used.
   */
  goneBecause(connection: Connection<Stubs>): UnavailableError | undefined
  drop(connection: Connection<Stubs>, reason: string): void
  /** The server said that it is unavailable, or was not there: drops the connection if another may do better. */
  unavailable(connection: Connection<Stubs>): Promise<void>
  close(): void
}

/** A younger connection is not replaced for being unreachable: while nothing answers, ten attempts a second are enough. */
const MIN_CONNECTION_AGE_MS = 100
/** A live host far away answers a TLS handshake in less. */
const MIN_PATIENCE_MS = 500

let generation = 0

export function createConnections<Stubs extends Dialled>(options: ConnectionsOptions<Stubs>): Connections<Stubs> {
  const { endpoints, log } = options
  const patienceMs = Math.max(MIN_PATIENCE_MS, options.requestTimeoutMs / endpoints.length)
  let endpointIndex = 0
  let current: Promise<Connection<Stubs>> | undefined
  let newest: Connection<Stubs> | undefined
  let closed = false

  async function build(): Promise<Connection<Stubs>> {
    const endpoint = endpoints[endpointIndex % endpoints.length]
    if (endpoint === undefined) throw new ConfigError('no etcd endpoint given', { code: 'no-endpoint', target: 'etcd' })
    const url = endpointUrl(endpoint)
    const secrets = await readSecrets(options)
    const stubs = await options.dial(url, secrets, generation++)
    const nowMs = performance.now()
    const times = { builtAtMs: nowMs, heardAtMs: nowMs }
    newest = { endpoint, target: `etcd ${endpoint}`, stubs, secrets, ...times, live: true, reached: undefined }
    if (closed) end(newest)
    return newest
  }

  async function connect(): Promise<Connection<Stubs>> {
    if (closed) throw closedError()
    current ??= build()
    const attempt = current
    try {
      return await attempt
    } catch (error) {
      if (current === attempt) current = undefined
      throw error
    }
  }

  function end(connection: Connection<Stubs>): void {
    connection.live = false
    connection.stubs.close()
  }

  /** A live connection is always the current one. */
  function drop(connection: Connection<Stubs>, reason: string): void {
    if (!connection.live) return
    current = undefined
    endpointIndex++
    log.warn({ endpoint: connection.endpoint, reason }, 'etcd connection dropped')
    end(connection)
  }

  async function secretsChanged(secrets: Secrets): Promise<boolean> {
    try {
      return !sameSecrets(secrets, await readSecrets(options))
    } catch {
      // Being replaced at this moment: the next failure looks again.
      return false
    }
  }

  return {
    drop,
    async get(deadline) {
      for (let others = endpoints.length - 1; ; others--) {
        const connection = await connect()
        const isLast = others === 0 || Date.now() + patienceMs > deadline
        if (isLast || !connection.live) return connection
        connection.reached ??= connection.stubs.isReached(Date.now() + patienceMs)
        if (await connection.reached) return connection
        drop(connection, 'silent')
      }
    },
    goneBecause({ live, target }) {
      if (closed) return closedError()
      if (live) return undefined
      const details = { code: 'replaced', target }
      return new UnavailableError(`${target}: the connection was replaced before anything was sent`, details)
    },
    async unavailable(connection) {
      if (performance.now() - connection.builtAtMs <= MIN_CONNECTION_AGE_MS) return
      if (await secretsChanged(connection.secrets)) drop(connection, 'certificates changed')
      else if (endpoints.length > 1) drop(connection, 'unreachable')
    },
    close() {
      closed = true
      current = undefined
      if (newest?.live === true) end(newest)
    },
  }
}

function closedError(): UnavailableError {
  return new UnavailableError('the etcd client is closed', { code: 'closed', target: 'etcd' })
}
