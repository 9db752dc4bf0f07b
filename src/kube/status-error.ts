/**
 * The API server's refusals as our errors, mapped once: HTTP answers and the ERROR events of a watch speak the same `Status`.
 * Keeps what tells a missing object from a missing kind (S3: only a 404 that names the object proves that it is gone).
 */
import { ForbiddenError, RejectedError, TimeoutError, UnavailableError, type ErrorDetails } from '../errors.ts'
import { isRecord } from './resource.ts'

/** Which request failed; never its query (it may hold a continue token) and never its headers. */
export interface RequestTarget {
  readonly method: string
  readonly path: string
  readonly server: string
}

/** A definite answer of the API server: `code` is the HTTP status (`400`, `404`, `409`, `410`, `422`, …). */
export class ApiStatusError extends RejectedError {
  /** `Status.reason`: `NotFound`, `Conflict`, `Expired`, `Invalid`, … */
  readonly reason: string | undefined
  /** `Status.details.name` and `.kind` (the plural). Both absent on a 404 that means "this kind is not served". */
  readonly objectName: string | undefined
  readonly objectKind: string | undefined
  /** The fields that a 422 complains about: `metadata.uid`. */
  readonly invalidFields: readonly string[]

  constructor(message: string, details: ErrorDetails, status: Status) {
    super(message, details)
    this.reason = status.reason
    this.objectName = status.objectName
    this.objectKind = status.objectKind
    this.invalidFields = status.invalidFields
  }
}

interface Status {
  readonly message: string
  readonly code: number | undefined
  readonly reason: string | undefined
  readonly objectName: string | undefined
  readonly objectKind: string | undefined
  readonly invalidFields: readonly string[]
  readonly retryAfterSeconds: number | undefined
}

/** Enough for any message of the API server; a proxy's HTML page is cut. */
const MAX_MESSAGE_LENGTH = 1_000

/** The error for an HTTP answer that is not a success. `body` is its text, `retryAfter` that header as received. */
export function httpError(target: RequestTarget, code: number, body: string, retryAfter: string | undefined): Error {
  const status = readStatus(parseJson(body)) ?? { ...NO_STATUS, message: body.slice(0, MAX_MESSAGE_LENGTH).trim() }
  return statusError(target, code, status, retryAfterMs(retryAfter) ?? secondsToMs(status.retryAfterSeconds))
}

/** The error for the `Status` of a watch's ERROR event. */
export function eventError(target: RequestTarget, object: unknown): Error {
  const status = readStatus(object) ?? { ...NO_STATUS, message: 'the watch ended with an error that says nothing' }
  return statusError(target, status.code ?? 500, status, secondsToMs(status.retryAfterSeconds))
}

/** What every message and `target` of this folder says about a request. */
export function describeTarget(target: RequestTarget): string {
  return `kubernetes ${target.server} ${target.method} ${target.path}`
}

function statusError(target: RequestTarget, code: number, status: Status, retryAfter: number | undefined): Error {
  const message = `${describeTarget(target)}: HTTP ${code}${status.message === '' ? '' : `: ${status.message}`}`
  const details = { code: String(code), target: describeTarget(target) }
  if (code === 401 || code === 403) return new ForbiddenError(message, details)
  if (code < 500 && code !== 429) return new ApiStatusError(message, details, status)
  // A write that ran into a time-out behind the API server may still be applied.
  const unknown = target.method !== 'GET' && code !== 429 && code !== 503
  return unknown
    ? new TimeoutError(message, details)
    : new UnavailableError(message, { ...details, retryAfterMs: retryAfter })
}

const NO_STATUS = {
  code: undefined,
  reason: undefined,
  objectName: undefined,
  objectKind: undefined,
  invalidFields: [],
  retryAfterSeconds: undefined,
}

function readStatus(value: unknown): Status | undefined {
  if (!isRecord(value) || value['kind'] !== 'Status') return undefined
  const details = isRecord(value['details']) ? value['details'] : {}
  return {
    message: (text(value['message']) ?? '').slice(0, MAX_MESSAGE_LENGTH),
    code: number(value['code']),
    reason: text(value['reason']),
    objectName: text(details['name']),
    objectKind: text(details['kind']),
    invalidFields: fieldsOf(details['causes']),
    retryAfterSeconds: number(details['retryAfterSeconds']),
  }
}

function fieldsOf(causes: unknown): readonly string[] {
  if (!Array.isArray(causes)) return []
  return causes.flatMap((cause: unknown) => (isRecord(cause) ? (text(cause['field']) ?? []) : []))
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined
}

/** RFC 9110: seconds, or a date. */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const waitMs = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return waitMs >= 0 ? waitMs : undefined
}

function secondsToMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
