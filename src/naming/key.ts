/**
 * The grammar of targets and keys: an endpoint lives at `<target>/<address>` (SPEC.md, 1). Keeps S6: what is a target's key
 * and what is not is decided here, and nowhere else. Pure.
 */
import { parseAddress } from './address.ts'

export type TargetResult =
  | { readonly ok: true; readonly target: string }
  | { readonly ok: false; readonly error: string }

/** The grammar as a regular expression (RE2 reads it too). No segment can start with `_`, where bookkeeping lives. */
export const TARGET_PATTERN = '^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)*$'

const target = new RegExp(TARGET_PATTERN)

/** What clients dial after `etcd:///`, e.g. `payments/ledger`. */
export function parseTarget(text: string): TargetResult {
  if (isTarget(text)) return { ok: true, target: text }
  const error =
    'must be segments joined by "/", each of letters, digits, ".", "_" and "-", beginning and ending with a letter or digit, e.g. payments/ledger'
  return { ok: false, error }
}

export function isTarget(text: string): boolean {
  return target.test(text)
}

/** The key of an endpoint; `addr` is to be canonical (`joinAddress`, `parseAddress`), or one address could get two keys. */
export function endpointKey(target: string, addr: string): string {
  return `${target}/${addr}`
}

/** The address of an endpoint's key: `endpointKey` the other way. Of a foreign key, whatever follows `target + "/"`. */
export function addressOf(target: string, key: string): string {
  return key.slice(target.length + 1)
}

/** What is under a target at one key. */
export interface EndpointKey {
  /** What follows `target + "/"`. */
  readonly suffix: string
  /** It is one `host:port` segment. A key that is not was not written as an endpoint, whatever its value says. */
  readonly isAddress: boolean
}

/** `undefined` for a key that is not under the target. */
export function parseEndpointKey(target: string, key: string): EndpointKey | undefined {
  if (!key.startsWith(`${target}/`)) return undefined
  const suffix = addressOf(target, key)
  return { suffix, isAddress: parseAddress(suffix).ok }
}

/** All keys under the target, and no key of a neighbour (`foo` is not `foo_other`): `[target + "/", target + "0")`. */
export function targetRange(target: string): { readonly key: string; readonly rangeEnd: string } {
  // "0" is the byte after "/".
  return { key: `${target}/`, rangeEnd: `${target}0` }
}

/** One is the other or a path prefix of it: who reads the shorter one would get the endpoints of both. */
export function overlaps(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`)
}
