/**
 * What a client dials, e.g. `etcd:///payments/ledger`, read as grpc-go and etcd's own resolver read it: Go's `url.Parse`
 * (net/url of Go 1.26), then its path or else its opaque part, without one leading `/` (grpc-go resolver/resolver.go, etcd
 * client/v3/naming/resolver/resolver.go). Not the web's URL, which changes paths (`..`, `\`) and accepts other hosts. Pure.
 */
import { parseAddress } from './address.ts'
import type { TargetResult } from './key.ts'

/** A query begins at the first `?`, a fragment at the first `#`. */
const URI = /^([A-Za-z][A-Za-z0-9+.-]*):([^?#]*)(\?[^#]*)?(?:#(.*))?$/s
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2}).{0,2}/su

/**
 * The target in a URI: `etcd:///r/a`, `etcd:r/a` and `etcd://any-authority/r/a?any=query` are all `r/a`. The path is
 * percent-decoded, the opaque part (`etcd:r%2Fa`) is not. Authority, query and fragment mean nothing but must be well formed.
 * Any scheme will do. Nothing else is checked: a target need not be one that the operator publishes (`parseTarget`).
 *
 * Differs from Go in one point: bytes that are not UTF-8 (`etcd:///%ff`) are an error, because targets are strings here.
 */
export function parseTargetUri(uri: string): TargetResult {
  const match = URI.exec(uri.toWellFormed())
  const scheme = match?.[1] ?? 'etcd'
  const refuse = (why: string): TargetResult => ({
    ok: false,
    error: `can not dial ${JSON.stringify(uri)}: ${why}; write ${scheme}:///my-service`,
  })
  if (match === null) return refuse('it has no scheme')
  const [, , hierarchy = '', query = '', fragment = ''] = match
  if (hasControl(hierarchy + query)) return refuse('it contains a control character')

  const rooted = hierarchy.startsWith('/')
  const [, authority = '', path = ''] = rooted ? (/^(?:\/\/([^/]*))?(.*)$/s.exec(hierarchy) ?? []) : []
  if (!isAuthority(authority)) return refuse('what follows "//" is not a host and port')
  const escape = BAD_ESCAPE.exec(path) ?? BAD_ESCAPE.exec(fragment)
  if (escape !== null) return refuse(`${JSON.stringify(escape[0])} is not a percent-escape`)
  const target = rooted ? decode(path)?.replace(/^\//, '') : hierarchy
  if (target === undefined) return refuse('it is not UTF-8')
  return target === '' ? refuse('it names no target') : { ok: true, target }
}

/**
 * What servers see as `:authority`, and what their certificate must carry unless the channel says otherwise: the target, with a dot for what
 * no host name has, because grpc-js makes a URL of it. Go sends `payments%2Fledger` where this is `payments.ledger`.
 */
export function authorityOf(target: string): string {
  const host = target.replaceAll(/[^A-Za-z0-9_.-]+/g, '.').replaceAll(/^\.|\.$/g, '')
  return URL.canParse(`http://${host}`) ? host : 'etcd'
}

/** The text of percent-escapes; `undefined` when it is not UTF-8. */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit < 0x20 || unit === 0x7f) return true
  }
  return false
}

/** `parseAuthority` of net/url: `userinfo@host:port`, each part optional. */
function isAuthority(text: string): boolean {
  const at = text.lastIndexOf('@')
  const user = text.slice(0, Math.max(at, 0))
  return /^(?:[A-Za-z0-9._:~!$&'()*+,;=@-]|%[0-9A-Fa-f]{2})*$/.test(user) && isHostPort(text.slice(at + 1))
}

/** `parseHost` of net/url: a host may be anything up to the last colon; after it are digits, or nothing. */
function isHostPort(text: string): boolean {
  const literal = /^\[(.*)\](?::[0-9]*)?$/su.exec(text)
  if (literal !== null) return isIpv6(literal[1] ?? '')
  if (text.includes('[') || !/^[^:]*$|:[0-9]*$/.test(text)) return false
  return isHostText(text.replaceAll(/%(?:25|[89A-Fa-f][0-9A-Fa-f])/g, ''))
}

/** `%25` begins a zone, in which only what may be written without an escape, `%` and a space may be escaped. */
function isIpv6(text: string): boolean {
  const [, host = '', zone] = /^(.*?)(?:%25(.*))?$/s.exec(text) ?? []
  if (!parseAddress(`[${host}]:1`).ok) return false
  if (zone === undefined) return true
  const plain = zone.replaceAll(/%[2-7][0-9A-Fa-f]/g, (escape) =>
    escape === '%25' || escape === '%20' ? '-' : decodeURIComponent(escape),
  )
  return plain !== '' && isHostText(plain)
}

/** Characters that stand for themselves in a host. */
function isHostText(text: string): boolean {
  return /^[A-Za-z0-9!$&'()*+,;=:[\]<>"._~\P{ASCII}-]*$/u.test(text)
}
