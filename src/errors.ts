/**
 * The error classes of the operator and of the naming library. Foreign errors are wrapped once, in the adapter that met them
 * (`etcd/transport.ts`, `etcd/status-errors.ts`, `kube/`), and keep their `cause`. Code and tests look at `code`, never at `message`.
 */

/** What every error of ours carries beside its message. */
export interface ErrorDetails {
  /** Stable machine-readable reason, e.g. `UNAVAILABLE`, `lease-not-found`. */
  readonly code: string
  /** What was spoken to, e.g. `etcd http://127.0.0.1:2379`. */
  readonly target: string
  readonly cause?: unknown
}

/** What all errors of ours are. */
export abstract class GrpcEtcdError extends Error {
  readonly code: string
  readonly target: string

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.code = details.code
    this.target = details.target
  }
}

/** Transient: the server could not be reached, or said "later". For a write: it was definitely **not** applied. */
export class UnavailableError extends GrpcEtcdError {
  /** How long the server asked us to wait, in milliseconds; etcd does not. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, details: ErrorDetails & { readonly retryAfterMs?: number | undefined }) {
    super(message, details)
    this.retryAfterMs = details.retryAfterMs
  }
}

/** Transient, and for a write the outcome is **unknown**: it may have been applied, or may still be on its way. */
export class TimeoutError extends GrpcEtcdError {}

/** Permanent until a human acts: credentials, permission, certificate. */
export class ForbiddenError extends GrpcEtcdError {}

/** The server understood and refused: a definite answer that a retry of the same request will not change. */
export class RejectedError extends GrpcEtcdError {}

/** The caller's argument can not be used (gRPC's InvalidArgument): nothing was sent. */
export class InvalidArgumentError extends GrpcEtcdError {
  constructor(message: string, target: string, code = 'invalid-argument') {
    super(message, { code, target })
  }
}

/** The user's configuration can not be used; the message names the setting and the way out. */
export class ConfigError extends GrpcEtcdError {}

/** A bug of ours. */
export class InvariantError extends GrpcEtcdError {
  constructor(message: string, cause?: unknown) {
    super(message, { code: 'invariant', target: 'grpc-etcd-operator', cause })
  }
}

/** Whether a server, or the way to it, is the reason, so that the same may succeed later; everything else is a mistake of ours or a user's. */
export function isServersFault(error: unknown): boolean {
  return [UnavailableError, TimeoutError, ForbiddenError, RejectedError].some((kind) => error instanceof kind)
}

/** What was thrown, as an Error. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('not an Error was thrown', { cause: thrown })
}

/** The reason in a few words for logs and status, whatever was thrown. */
export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
