/**
 * The value of an endpoint's key: byte for byte what `go.etcd.io/etcd/client/v3/naming/endpoints` writes, and read as it reads
 * (its `internal.Update` through `encoding/json`). Keeps S9. STABLE FORMAT: other programs read it. Pure.
 */
import { decodeJson, type JsonMember } from './json-decode.ts'
import { encodeJson, quote, UnsupportedValueError } from './json-encode.ts'
import { decodeUtf8 } from './utf8.ts'

/** One address that a client can dial, and what is stored beside it. */
export interface Endpoint {
  /** What clients dial, `host:port`, IPv6 in brackets. The codec takes any string, as Go does. */
  readonly addr: string
  /** Any JSON value; absent is written as `null`. */
  readonly metadata?: unknown
}

/** An endpoint as read: whoever reads sees a Metadata, `null` if there was none. */
export interface DecodedEndpoint {
  readonly addr: string
  readonly metadata: unknown
}

/** The endpoint, or why Go would skip the key. */
export type DecodeResult =
  | { readonly ok: true; readonly endpoint: DecodedEndpoint }
  | { readonly ok: false; readonly error: string }

/**
 * The stored value of an endpoint.
 *
 * @throws UnsupportedValueError when the metadata has no JSON form (see `encodeJson`); nothing is dropped silently.
 */
export function encodeEndpoint(endpoint: Endpoint): string {
  const { addr, metadata } = endpoint
  if (typeof addr !== 'string') throw new UnsupportedValueError(`json: unsupported type for Addr: ${typeof addr}`)
  return `{"Op":0,"Addr":${quote(addr)},"Metadata":${encodeJson(metadata ?? null, 1)}}`
}

/**
 * What a Go client sees in a stored value; `ok: false` exactly where it skips the key. Field names match in any case (no
 * letter outside ASCII folds to one of theirs), the last one in document order wins, `null` leaves a field as it is, unknown fields
 * are ignored. `Op` must fit a uint8, its value means nothing. Never throws.
 */
export function decodeEndpoint(value: Uint8Array): DecodeResult {
  const text = decodeUtf8(value)
  const endpoint = decodePlain(text)
  if (endpoint !== undefined) return { ok: true, endpoint }
  const document = decodeJson(text)
  if (!document.ok) return { ok: false, error: document.error }
  const kind = kindOf(document.value)
  if (kind !== 'object' && kind !== 'null') {
    return { ok: false, error: `json: cannot unmarshal ${kind} into Go value of type internal.Update` }
  }
  let addr = ''
  let metadata: unknown = null
  for (const member of document.members) {
    switch (member.name.toLowerCase()) {
      case 'op':
        if (!isOperation(member)) return mismatch(member, 'Op of type internal.Operation')
        break
      case 'addr':
        if (typeof member.value === 'string') addr = member.value
        else if (member.value !== null) return mismatch(member, 'Addr of type string')
        break
      case 'metadata':
        if (member.overflow !== undefined) return mismatch(member, 'Metadata of type float64')
        metadata = member.value
        break
      default:
    }
  }
  return { ok: true, endpoint: { addr, metadata } }
}

/**
 * What nearly every value is, as Go and we write it, without escapes, long numbers or exponents: there `JSON.parse`, which is several times
 * as fast, reads what Go reads. `undefined`: it may be something else.
 */
function decodePlain(text: string): DecodedEndpoint | undefined {
  const [, addr, metadata] = PLAIN.exec(text) ?? []
  if (addr === undefined || metadata === undefined || EXPONENT.test(metadata)) return undefined
  try {
    // If this is one JSON value, then the rest of the text is what the pattern says: no member can hide in it.
    return { addr, metadata: JSON.parse(metadata) }
  } catch {
    return undefined
  }
}

/** At most 256 characters of Metadata: no digits without exponent overflow a double, and nothing nests too deep. */
const PLAIN = /^\{"Op":0,"Addr":"([^"\\\p{Cc}]*)","Metadata":([^\\]{1,256})\}$/u
const EXPONENT = /[0-9][eE]/

/** Go reads the digits themselves: `-0`, `1.0` and `1e0` are no uint8. */
function isOperation(member: JsonMember): boolean {
  if (member.value === null) return true
  return typeof member.value === 'number' && /^[0-9]{1,3}$/.test(member.numberText) && member.value <= 255
}

function mismatch(member: JsonMember, field: string): DecodeResult {
  const text = member.overflow ?? (typeof member.value === 'number' ? member.numberText : undefined)
  const given = text === undefined ? kindOf(member.value) : `number ${text}`
  return { ok: false, error: `json: cannot unmarshal ${given} into Go struct field Update.${field}` }
}

/** The JSON kind of a value, in Go's words. */
function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}
