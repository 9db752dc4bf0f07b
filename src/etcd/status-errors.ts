/**
 * gRPC status → the classes of `errors.ts`. The one question that matters for a write: is it certain that it was not applied?
 * Only what is listed here as certain counts; everything else that fails a Txn is a `TimeoutError` (outcome unknown). Pure.
 */
import { status as grpcStatus } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { ForbiddenError, RejectedError, TimeoutError, UnavailableError } from '../errors.ts'

export type StoreError = UnavailableError | TimeoutError | ForbiddenError | RejectedError

export interface GrpcFailure {
  readonly code: grpcStatus
  readonly details: string
}

/** etcd's own texts (api/v3rpc/rpctypes/error.go): part of its protocol, the Go client compares them too. */
const REFUSALS: readonly (readonly [text: string, code: string])[] = [
  ['too many operations in txn request', 'too-many-operations'],
  ['duplicate key given in txn request', 'duplicate-key'],
  ['requested lease not found', 'lease-not-found'],
  ['lease already exists', 'lease-exists'],
  ['too large lease TTL', 'lease-ttl-too-large'],
  ['request is too large', 'request-too-large'],
  ['message larger than max', 'request-too-large'],
  ['database space exceeded', 'no-space'],
  ['required revision has been compacted', 'compacted'],
  ['required revision is a future revision', 'future-revision'],
  ['key is not provided', 'empty-key'],
]

const FORBIDDEN: readonly (readonly [text: string, code: string])[] = [
  ['permission denied', 'permission-denied'],
  ['authentication failed, invalid user ID or password', 'authentication-failed'],
  ['user name is empty', 'authentication-required'],
  ['invalid auth token', 'invalid-auth-token'],
]

/** The server refused our token before it did anything: authenticate again, then repeat, writes too. */
const STALE_TOKEN = ['invalid auth token', 'revision of auth store is old', 'user name is empty']

/** The request never left this process (texts of @grpc/grpc-js), or the server's interceptors turned it away. */
const NOT_STARTED = [
  'No connection established',
  'Channel closed before call started',
  'Name resolution failed',
  'Waiting for LB pick',
  'etcdserver: no leader',
  'etcdserver: too many requests',
]

/** Codes with which a gRPC server answers a request that it will not carry out, now or when repeated. */
const DEFINITE: readonly grpcStatus[] = [
  grpcStatus.INVALID_ARGUMENT,
  grpcStatus.NOT_FOUND,
  grpcStatus.ALREADY_EXISTS,
  grpcStatus.FAILED_PRECONDITION,
  grpcStatus.OUT_OF_RANGE,
  grpcStatus.UNIMPLEMENTED,
]

/** What grpc-js fails a call with. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error
}

export function isStaleToken(text: string): boolean {
  return STALE_TOKEN.some((part) => text.includes(part))
}

/** etcd refuses one watch of a stream with a text instead of a status. */
export function errorFromCancelReason(reason: string, target: string): ForbiddenError | UnavailableError {
  const denied = reason.includes('permission denied')
  const details = { code: denied ? 'permission-denied' : 'watch-canceled', target }
  return new (denied ? ForbiddenError : UnavailableError)(`${target}: ${reason}`, details)
}

/**
 * @param write the request changes the store and is not idempotent, so an uncertain outcome has to be told apart
 * @param target who was spoken to, for people: `etcd http://127.0.0.1:2379`
 */
export function errorFromStatus(failure: GrpcFailure, write: boolean, target: string): StoreError {
  const { code, details } = failure
  // grpc-js adds its note also when there is none.
  const message = `${target}: ${details.replace(/\.? Resolution note: $/, '')}`
  const matching = (table: readonly (readonly [string, string])[]) =>
    table.find(([text]) => details.includes(text))?.[1]

  const refusal = matching(REFUSALS)
  if (refusal !== undefined) return new RejectedError(message, { code: refusal, target, cause: failure })
  const denial = matching(FORBIDDEN)
  if (denial !== undefined) return new ForbiddenError(message, { code: denial, target, cause: failure })

  const name = grpcStatus[code] ?? String(code)
  const fields = { code: name, target, cause: failure }
  if (NOT_STARTED.some((text) => details.includes(text))) {
    // TLS failures come as `No connection established. Last error: …`; no retry cures a certificate.
    return /certificate|self.signed|altname|alert/i.test(details)
      ? new ForbiddenError(message, { ...fields, code: 'bad-certificate' })
      : new UnavailableError(message, fields)
  }
  if (code === grpcStatus.PERMISSION_DENIED || code === grpcStatus.UNAUTHENTICATED)
    return new ForbiddenError(message, fields)
  if (DEFINITE.includes(code)) return new RejectedError(message, fields)
  if (write || code === grpcStatus.DEADLINE_EXCEEDED) return new TimeoutError(message, fields)
  return new UnavailableError(message, fields)
}
