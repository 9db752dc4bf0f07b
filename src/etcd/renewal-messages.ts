/**
 * What the main thread and the renewal thread say to each other, as data that survives the way: instants on a clock that both have, and
 * errors that are of our classes again on the other side.
 */
import {
  ConfigError,
  describeError,
  ForbiddenError,
  GrpcEtcdError,
  InvariantError,
  RejectedError,
  TimeoutError,
  UnavailableError,
} from '../errors.ts'
import type { LeaseId } from './kv.ts'

/** From the main thread: what its `LeaseKeeper` is asked for. */
export type RenewalRequest =
  | { readonly kind: 'add'; readonly id: LeaseId; readonly ttlSeconds: number }
  | { readonly kind: 'remove'; readonly id: LeaseId }
  | { readonly kind: 'check'; readonly id: LeaseId }
  /** `grant` is a number for this grant, to be answered with and given up by. */
  | { readonly kind: 'grant'; readonly grant: number; readonly ttlSeconds: number }
  | { readonly kind: 'give-up'; readonly grant: number }
  /** This replica has seen its own Kubernetes. */
  | { readonly kind: 'seen' }

/** From the renewal thread, several at once, in the order in which they happened. */
export type RenewalReport =
  | {
      readonly kind: 'renewed'
      readonly id: LeaseId
      readonly validUntilSharedMs: number
      readonly grantedTtlSeconds: number
    }
  | { readonly kind: 'lost'; readonly id: LeaseId }
  | { readonly kind: 'granted'; readonly grant: number; readonly id: LeaseId }
  | { readonly kind: 'refused'; readonly grant: number; readonly error: PlainError }
  /** Answers `seen`: the thread is at work. */
  | { readonly kind: 'at-work' }

/**
 * `performance.now()` counts from the start of each thread, `process.hrtime` from one instant for all of them. The clocks are read one
 * after the other, in the order that makes the instant early, never late, when the thread had to wait in between: a lease must not look
 * valid for longer than it is.
 */
const sharedBehindOwnMs = ((): number => {
  const sharedMs = readSharedMs()
  return sharedMs - performance.now()
})()
const sharedAheadOfOwnMs = ((): number => {
  const ownMs = performance.now()
  return readSharedMs() - ownMs
})()

function readSharedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** For the other thread, of an instant of this thread's `performance.now()`. */
export function toSharedMs(ownMs: number): number {
  return ownMs + sharedBehindOwnMs
}

/** On this thread's `performance.now()`, of an instant from the other thread: never later than it was meant. */
export function fromSharedMs(sharedMs: number): number {
  return sharedMs - sharedAheadOfOwnMs
}

/** An Error that is sent keeps neither its class nor its code. */
export interface PlainError {
  readonly name: string
  readonly message: string
  readonly code: string
  readonly target: string
  readonly cause: string | undefined
}

const CLASSES = { UnavailableError, TimeoutError, ForbiddenError, RejectedError, ConfigError }

export function plainOf(error: unknown): PlainError {
  const details = error instanceof GrpcEtcdError ? error : { name: '', code: '', target: '', cause: stackOf(error) }
  const { name, code, target, cause } = details
  return { name, message: describeError(error), code, target, cause: cause === undefined ? undefined : stackOf(cause) }
}

export function errorFrom({ name, message, code, target, cause }: PlainError): GrpcEtcdError {
  const found = Object.entries(CLASSES).find(([each]) => each === name)
  // What no caller of ours expects is a bug.
  return found === undefined ? new InvariantError(message, cause) : new found[1](message, { code, target, cause })
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
