/**
 * Calls and streams to one etcd cluster: which connection they go by, with which token and deadline, and what their failure means.
 *
 * A connection is one TCP connection to one endpoint and disposable. It is replaced, at the next endpoint, when it does not answer, when
 * the server is not reachable and there is another, and when the certificate files changed. A call that was not applied for certain goes on
 * there at once. Streams that still live on a replaced connection may finish there. Reads are linearizable, so it does not matter which
 * member answers.
 */
import { Metadata, status as grpcStatus } from '@grpc/grpc-js'
import type { CallOptions, ClientDuplexStream, ClientUnaryCall, ServiceError } from '@grpc/grpc-js'
import type { Log } from '../runtime/log.ts'
import { ConfigError, TimeoutError, UnavailableError } from '../errors.ts'
import { readSecretFile, readSecrets, sameSecrets } from './secrets.ts'
import type { Secrets, SecretSources } from './secrets.ts'
import { errorFromStatus, isStaleToken } from './status-errors.ts'
import type { Stream, StreamHandlers } from './streams.ts'

export type Unary<Response> = (
  request: object,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall

export type Duplex<Response> = (metadata: Metadata) => ClientDuplexStream<object, Response>

/** What the transport itself needs of a connection. */
interface BaseStubs {
  readonly authenticate: Unary<{ readonly token: string }>
  close(): void
}

export interface TransportOptions<Stubs extends BaseStubs> extends SecretSources {
  /** `generation` differs at every call in this process: what is dialled must share no TCP connection, nor its backoff, with another. */
  readonly dial: (endpoint: URL, secrets: Secrets, generation: number) => Promise<Stubs>
  readonly endpoints: readonly string[]
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly passwordFile?: string | undefined
  readonly requestTimeoutMs: number
  readonly log: Log
}

interface Connection<Stubs> {
  readonly endpoint: string
  readonly stubs: Stubs
  readonly secrets: Secrets
  readonly builtAtMs: number
  /** When the server last sent anything. */
  heardAtMs: number
}

/** A younger connection is not replaced for being unreachable: while nothing answers, ten attempts a second are enough. */
const MIN_CONNECTION_AGE_MS = 100

let generation = 0

export interface Transport<Stubs> {
  /** `write`: not idempotent, so that a failure without a definite answer is a `TimeoutError`. */
  call<Response>(
    stub: (stubs: Stubs) => Unary<Response>,
    request: object,
    kind: 'read' | 'write',
    signal: AbortSignal,
  ): Promise<Response>
  open<Response>(
    stub: (stubs: Stubs) => Duplex<Response>,
    handlers: StreamHandlers<Response>,
    signal: AbortSignal,
  ): Promise<Stream<object>>
  close(): void
}

export function createTransport<Stubs extends BaseStubs>(options: TransportOptions<Stubs>): Transport<Stubs> {
  const { endpoints, log, username } = options
  let endpointIndex = 0
  let current: Promise<Connection<Stubs>> | undefined
  let token: Promise<string | undefined> | undefined
  let closed = false

  async function build(): Promise<Connection<Stubs>> {
    const endpoint = endpoints[endpointIndex % endpoints.length]
    if (endpoint === undefined) throw new ConfigError('no etcd endpoint given', { code: 'no-endpoint', target: 'etcd' })
    const url = new URL(endpoint.includes('://') ? endpoint : `http://${endpoint}`)
    const secrets = await readSecrets(options)
    const stubs = await options.dial(url, secrets, generation++)
    const nowMs = performance.now()
    return { endpoint, stubs, secrets, builtAtMs: nowMs, heardAtMs: nowMs }
  }

  async function connect(): Promise<Connection<Stubs>> {
    if (closed) throw new UnavailableError('the etcd client is closed', { code: 'closed', target: 'etcd' })
    current ??= build()
    const attempt = current
    try {
      return await attempt
    } catch (error) {
      if (current === attempt) current = undefined
      throw error
    }
  }

  async function drop(connection: Connection<Stubs>, reason: string): Promise<void> {
    const held = current
    if ((await held?.catch(() => undefined)) !== connection || current !== held) return
    current = undefined
    endpointIndex++
    log.warn({ endpoint: connection.endpoint, reason }, 'etcd connection dropped')
    connection.stubs.close()
  }

  async function metadataFor(connection: Connection<Stubs>): Promise<Metadata> {
    const metadata = new Metadata()
    // A member cut off from its leader then refuses at once instead of hanging: definite for writes, and streams move on.
    metadata.set('hasleader', 'true')
    if (username === undefined) return metadata
    token ??= authenticate(connection, username)
    const attempt = token
    try {
      const value = await attempt
      if (value !== undefined) metadata.set('token', value)
      return metadata
    } catch (error) {
      if (token === attempt) token = undefined
      throw error
    }
  }

  /** With nobody's signal: others may wait for the same token. The deadline bounds it. */
  async function authenticate(connection: Connection<Stubs>, name: string): Promise<string | undefined> {
    const password = options.password ?? (await passwordFromFile())
    try {
      const { stubs } = connection
      const { signal } = new AbortController()
      const deadline = Date.now() + options.requestTimeoutMs
      return (await send(connection, stubs.authenticate, { name, password }, new Metadata(), deadline, signal)).token
    } catch (error) {
      // Not switched on (yet): go without; once it is, the refusal of the first call brings us back here.
      if (isServiceError(error) && error.details.includes('authentication is not enabled')) return undefined
      throw await ours(error, connection, 'read')
    }
  }

  async function passwordFromFile(): Promise<string> {
    const file = options.passwordFile
    return file === undefined ? '' : (await readSecretFile(file)).toString().replace(/\r?\n$/, '')
  }

  async function send<Response>(
    connection: Connection<Stubs>,
    stub: Unary<Response>,
    request: object,
    metadata: Metadata,
    deadline: number,
    signal: AbortSignal,
  ): Promise<Response> {
    if (signal.aborted) {
      const target = targetOf(connection)
      throw new UnavailableError(`${target}: given up before it was sent`, {
        code: 'aborted',
        target,
        cause: signal.reason,
      })
    }
    const sentAtMs = performance.now()
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    const call = stub(request, metadata, { deadline }, (error, response) => {
      if (error === null) resolve(response)
      else reject(error)
    })
    const cancel = () => {
      call.cancel()
    }
    signal.addEventListener('abort', cancel, { once: true })
    try {
      const response = await promise
      connection.heardAtMs = performance.now()
      return response
    } catch (error) {
      const timedOut = isServiceError(error) && error.code === grpcStatus.DEADLINE_EXCEEDED
      if (timedOut && connection.heardAtMs < sentAtMs) await drop(connection, 'silent')
      throw error
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  /** Our error for a foreign one; replaces the connection first if that may help. */
  async function ours(error: unknown, connection: Connection<Stubs>, kind: 'read' | 'write'): Promise<Error> {
    if (!isServiceError(error))
      return error instanceof Error ? error : new Error('not an Error was thrown', { cause: error })
    const target = targetOf(connection)
    if (error.code === grpcStatus.UNAVAILABLE && performance.now() - connection.builtAtMs > MIN_CONNECTION_AGE_MS) {
      if (await secretsChanged(connection.secrets)) await drop(connection, 'certificates changed')
      else if (endpoints.length > 1) await drop(connection, 'unreachable')
    }
    if (error.code === grpcStatus.CANCELLED && error.details.startsWith('Cancelled on client')) {
      return new TimeoutError(`${target}: given up while it was on its way`, { code: 'aborted', target, cause: error })
    }
    return errorFromStatus(error, kind === 'write', target)
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
    async call(stub, request, kind, signal) {
      const deadline = Date.now() + options.requestTimeoutMs
      let others = endpoints.length - 1
      let renewed = username === undefined
      for (;;) {
        const connection = await connect()
        let usedToken: typeof token
        try {
          const metadata = await metadataFor(connection)
          usedToken = token
          return await send(connection, stub(connection.stubs), request, metadata, deadline, signal)
        } catch (error) {
          if (!renewed && isServiceError(error) && isStaleToken(error.details)) {
            // Refused before anything was done, so repeating is safe for writes too.
            if (token === usedToken) token = undefined
            renewed = true
            continue
          }
          const failure = await ours(error, connection, kind)
          // Not applied for certain: another member may be there.
          const canMove = failure instanceof UnavailableError && failure.code === 'UNAVAILABLE'
          if (!canMove || others-- === 0) throw failure
          await drop(connection, 'unreachable')
        }
      }
    },

    async open(stub, handlers, signal) {
      const connection = await connect()
      const metadata = await metadataFor(connection)
      const usedToken = token
      const call = stub(connection.stubs)(metadata)
      let open = true
      const stop = () => {
        open = false
        signal.removeEventListener('abort', close)
      }
      const close = () => {
        if (!open) return
        stop()
        call.cancel()
      }
      const end = async (error: unknown) => {
        if (!open) return
        stop()
        if (isServiceError(error) && isStaleToken(error.details) && token === usedToken) token = undefined
        handlers.onEnd(await ours(error, connection, 'read'))
      }
      call.on('data', (response) => {
        connection.heardAtMs = performance.now()
        if (open) handlers.onMessage(response)
      })
      call.on('error', (error) => void end(error))
      call.on('end', () => {
        const target = targetOf(connection)
        void end(new UnavailableError(`${target}: the server ended the stream`, { code: 'stream-ended', target }))
      })
      if (signal.aborted) close()
      else signal.addEventListener('abort', close, { once: true })
      return {
        write: (request) => {
          if (open) call.write(request)
        },
        close,
        distrust: (reason) => {
          close()
          if (reason === 'silent') void drop(connection, reason)
          else if (token === usedToken) token = undefined
        },
      }
    },

    close() {
      closed = true
      void current?.then(({ stubs }) => stubs.close()).catch(() => undefined)
      current = undefined
    },
  }
}

function targetOf({ endpoint }: { readonly endpoint: string }): string {
  return `etcd ${endpoint}`
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error
}
