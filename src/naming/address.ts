/**
 * The grammar of an endpoint's address, `host:port`, and its one canonical spelling: the address is the key, so two spellings of
 * one address would be two keys (S10). Pure.
 */

/** Where an IP address can be reached from. Names are `global`, but for `localhost`. */
export type AddressScope = 'global' | 'loopback' | 'unspecified' | 'link-local'

/** An address, taken apart and in its one canonical spelling. */
export interface Address {
  readonly kind: 'ipv4' | 'ipv6' | 'name'
  /** Canonical, IPv6 without its brackets. */
  readonly host: string
  readonly port: number
  readonly scope: AddressScope
  /** `host:port` with the IPv6 host in brackets, as RFC 5952 and Go's `net/netip` write it; names in lower case. */
  readonly canonical: string
}

/** The address, or what is wrong with the text. */
export type AddressResult = ({ readonly ok: true } & Address) | { readonly ok: false; readonly error: string }

type Host = Pick<Address, 'kind' | 'host' | 'scope'>

/** Reads `10.0.0.1:50051`, `[2001:db8::1]:50051` or `db.example.com:50051`; the port is 1–65535 in plain digits. */
export function parseAddress(text: string): AddressResult {
  const match = /^(?:\[([^[\]]*)\]|([^[\]:]*)):([^:]*)$/.exec(text)
  if (match === null)
    return { ok: false, error: 'must be host:port; an IPv6 host stands in brackets, e.g. [2001:db8::1]:50051' }
  const [, bracketed, plain = '', digits = ''] = match
  const port = /^[1-9][0-9]{0,4}$/.test(digits) ? Number(digits) : 0
  if (port < 1 || port > 65535) return { ok: false, error: 'the port must be a number from 1 to 65535' }
  const host = bracketed === undefined ? parsePlainHost(plain) : parseIpv6Host(bracketed)
  if (host === undefined) {
    return {
      ok: false,
      error: `the host is not ${bracketed === undefined ? 'an IPv4 address or a DNS name' : 'an IPv6 address'}`,
    }
  }
  return {
    ok: true,
    ...host,
    port,
    canonical: host.kind === 'ipv6' ? `[${host.host}]:${port}` : `${host.host}:${port}`,
  }
}

/** `parseAddress` for a host (IPv6 without brackets) and a port. */
export function parseHostPort(host: string, port: number): AddressResult {
  return parseAddress(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
}

/**
 * The canonical address of a host (IPv6 without brackets) and a port.
 *
 * @throws RangeError when they are not a host and a port.
 */
export function joinAddress(host: string, port: number): string {
  const address = parseHostPort(host, port)
  if (!address.ok) throw new RangeError(`not an address: host ${JSON.stringify(host)}, port ${port}: ${address.error}`)
  return address.canonical
}

function parsePlainHost(text: string): Host | undefined {
  const octets = parseIpv4(text)
  if (octets !== undefined) return { kind: 'ipv4', host: octets.join('.'), scope: ipv4Scope(octets) }
  const host = text.toLowerCase()
  const labels = host.split('.')
  // A numeric last label is a misspelt IPv4 address: no top-level domain is a number.
  if (host.length > 253 || /^[0-9]+$/.test(labels.at(-1) ?? '')) return undefined
  if (!labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label))) return undefined
  return { kind: 'name', host, scope: labels.at(-1) === 'localhost' ? 'loopback' : 'global' }
}

/** Four decimal numbers without leading zeros, which some programs read as octal. */
function parseIpv4(text: string): readonly number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255))
    return undefined
  return parts.map(Number)
}

function ipv4Scope(octets: readonly number[]): AddressScope {
  const [first, second] = octets
  if (first === 127) return 'loopback'
  if (first === 169 && second === 254) return 'link-local'
  if (first === 224 && second === 0 && octets[2] === 0) return 'link-local'
  return octets.every((octet) => octet === 0) ? 'unspecified' : 'global'
}

function parseIpv6Host(text: string): Host | undefined {
  const groups = parseIpv6(text)
  if (groups === undefined) return undefined
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (mapped) {
    const octets = groups.slice(6).flatMap((group) => [group >> 8, group & 255])
    return { kind: 'ipv6', host: `::ffff:${octets.join('.')}`, scope: ipv4Scope(octets) }
  }
  return { kind: 'ipv6', host: formatIpv6(groups), scope: ipv6Scope(groups) }
}

/** Eight groups; no zone, which has a meaning on one machine only. */
function parseIpv6(text: string): readonly number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half, index) => parseGroups(half, index === halves.length - 1) ?? [NaN])
  const missing = 8 - head.length - tail.length
  const groups =
    halves.length === 1 ? head : [...head, ...Array.from({ length: Math.max(missing, 0) }, () => 0), ...tail]
  const whole = halves.length === 1 ? missing === 0 : missing >= 1
  return whole && !groups.some(Number.isNaN) ? groups : undefined
}

function parseGroups(half: string, last: boolean): readonly number[] | undefined {
  if (half === '') return []
  const parts = half.split(':')
  const octets = last ? parseIpv4(parts.at(-1) ?? '') : undefined
  if (octets !== undefined) parts.pop()
  if (!parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))) return undefined
  const groups = parts.map((part) => Number.parseInt(part, 16))
  if (octets === undefined) return groups
  const [a = 0, b = 0, c = 0, d = 0] = octets
  return [...groups, a * 256 + b, c * 256 + d]
}

/** RFC 5952: lower case, no leading zeros, the first of the longest runs of two or more zero groups as `::`. */
function formatIpv6(groups: readonly number[]): string {
  let best = { start: 0, length: 1 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = groups.map((group) => group.toString(16))
  if (best.length < 2) return hex.join(':')
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`
}

function ipv6Scope(groups: readonly number[]): AddressScope {
  const [first = 0] = groups
  if (groups.slice(0, 7).every((group) => group === 0)) {
    if (groups[7] === 0) return 'unspecified'
    if (groups[7] === 1) return 'loopback'
  }
  if ((first & 0xffc0) === 0xfe80 || (first & 0xff0f) === 0xff02) return 'link-local'
  return 'global'
}
