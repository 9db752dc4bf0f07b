/**
 * Calls and streams to one etcd cluster: with which token and deadline they go, what their failure means, and whether they go again. A call
 * that was not applied for certain goes on at once at the next endpoint; one whose outcome is unknown never does. Reads are linearizable, so
 * it does not matter which member answers.
 */
import { Metadata, status as grpcStatus } from '@grpc/grpc-js'
import type { CallOptions, ClientDuplexStream, ClientUnaryCall, ServiceError } from '@grpc/grpc-js'
import { errorOf, ForbiddenError, TimeoutError, UnavailableError } from '../errors.ts'
import { givenUp, unlessAborted } from './aborted.ts'
import { createAuthToken } from './auth-token.ts'
import type { AuthToken } from './auth-token.ts'
import { createConnections } from './connections.ts'
import type { Connection, ConnectionsOptions, Dialled } from './connections.ts'
import { errorFromStatus, isServiceError, isStaleToken } from './status-errors.ts'
import type { Stream, StreamHandlers } from './streams.ts'

export type Unary<Response> = (
  request: object,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall

export type Duplex<Response> = (metadata: Metadata) => ClientDuplexStream<object, Response>

/** What the transport itself needs of a connection. */
interface BaseStubs extends Dialled {
  readonly authenticate: Unary<{ readonly token: string }>
}

export interface TransportOptions<Stubs extends BaseStubs> extends ConnectionsOptions<Stubs> {
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly passwordFile?: string | undefined
}

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
  const connections = createConnections(options)
  const tokenFor = createAuthToken<Connection<Stubs>>({
    ...options,
    authenticate: (connection, request) =>
      // Nobody's signal: others may wait for the same token. The deadline bounds it.
      send(
        connection,
        connection.stubs.authenticate,
        request,
        new Metadata(),
        newDeadline(),
        new AbortController().signal,
      ),
    toError: (error, connection) => ours(error, connection, 'read'),
  })

  const newDeadline = () => Date.now() + options.requestTimeoutMs

  async function send<Response>(
    connection: Connection<Stubs>,
    stub: Unary<Response>,
    request: object,
    metadata: Metadata,
    deadline: number,
    signal: AbortSignal,
  ): Promise<Response> {
    if (signal.aborted) throw givenUp(connection.target, signal)
    const gone = connections.goneBecause(connection)
    if (gone !== undefined) throw gone
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
      if (timedOut && connection.heardAtMs < sentAtMs) connections.drop(connection, 'silent')
      throw error
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  /** Our error for a foreign one; replaces the connection first if that may help. */
  async function ours(error: unknown, connection: Connection<Stubs>, kind: 'read' | 'write'): Promise<Error> {
    if (!isServiceError(error)) return errorOf(error)
    const { target } = connection
    if (error.details.includes('Channel closed before call started')) {
      const gone = connections.goneBecause(connection)
      if (gone !== undefined) return gone
    }
    if (error.code === grpcStatus.UNAVAILABLE) await connections.unavailable(connection)
    if (error.code === grpcStatus.CANCELLED && error.details.startsWith('Cancelled on client')) {
      return new TimeoutError(`${target}: given up while it was on its way`, { code: 'aborted', target, cause: error })
    }
    return errorFromStatus(error, kind === 'write', target)
  }

  return {
    async call(stub, request, kind, signal) {
      const deadline = newDeadline()
      let others = options.endpoints.length - 1
      let renewed = options.username === undefined
      /** What the caller is told if no endpoint takes it: a certificate only if that is what is wrong with all of them. */
      let reason: Error | undefined
      for (;;) {
        const connection = await unlessAborted(connections.get(deadline), signal, 'etcd')
        let token: AuthToken | undefined
        try {
          token = await unlessAborted(tokenFor(connection), signal, connection.target)
          return await send(connection, stub(connection.stubs), request, metadataWith(token), deadline, signal)
        } catch (error) {
          if (!renewed && isServiceError(error) && isStaleToken(error.details)) {
            // Refused before anything was done, so repeating is safe for writes too.
            token?.forget()
            renewed = true
            continue
          }
          const failure = await ours(error, connection, kind)
          if (isReplaced(failure) && Date.now() < deadline) continue
          if (!mayMove(failure)) throw failure
          reason = reason === undefined || reason instanceof ForbiddenError ? failure : reason
          if (others-- === 0) throw reason
          connections.drop(connection, 'unreachable')
        }
      }
    },

    async open(stub, handlers, signal) {
      const connection = await unlessAborted(connections.get(newDeadline()), signal, 'etcd')
      const token = await unlessAborted(tokenFor(connection), signal, connection.target)
      const gone = connections.goneBecause(connection)
      if (gone !== undefined) throw gone
      const call = stub(connection.stubs)(metadataWith(token))
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
        if (isServiceError(error) && isStaleToken(error.details)) token.forget()
        handlers.onEnd(await ours(error, connection, 'read'))
      }
      call.on('data', (response) => {
        connection.heardAtMs = performance.now()
        if (open) handlers.onMessage(response)
      })
      call.on('error', (error) => void end(error))
      call.on('end', () => {
        const { target } = connection
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
          if (reason === 'silent') connections.drop(connection, reason)
          else token.forget()
        },
      }
    },

    close: () => {
      connections.close()
    },
  }
}

function metadataWith({ value }: AuthToken): Metadata {
  const metadata = new Metadata()
  // A member cut off from its leader then refuses at once instead of hanging: definite for writes, and streams move on.
  metadata.set('hasleader', 'true')
  if (value !== undefined) metadata.set('token', value)
  return metadata
}

function isReplaced(failure: Error): boolean {
  return failure instanceof UnavailableError && failure.code === 'replaced'
}

/** Not applied for certain, for a reason that another member need not have. */
function mayMove(failure: Error): boolean {
  const { code } = failure instanceof UnavailableError || failure instanceof ForbiddenError ? failure : { code: '' }
  return code === 'UNAVAILABLE' || code === 'bad-certificate'
}
