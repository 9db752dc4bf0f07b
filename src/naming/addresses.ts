/**
 * From endpoints to the addresses of a channel: each once, in an order of this process. The order must not change when the set does not
 * (grpc-js builds every connection anew for an update), and must differ between processes, or all pick_first clients would sit on one
 * server; so it is a hash with a seed. Pure.
 */

/** What grpc-js connects to: `experimental.SubchannelAddress`. */
export type DialAddress =
  | { readonly host: string; readonly port: number }
  /** Of a Unix socket. */
  | { readonly path: string }

/** As Go dials it: `host:port` (no host is this machine), `[v6]:port`, `unix:path`, `unix:///path`; else `undefined`. */
export function parseDialAddress(addr: string): DialAddress | undefined {
  const path = /^unix:(?:\/\/(?=\/))?(.+)$/s.exec(addr)?.[1]
  if (path !== undefined) return { path }
  const match = /^(?:\[([^[\]]+)\]|([^[\]:/\s]*)):([0-9]{1,5})$/.exec(addr)
  if (match === null) return undefined
  const port = Number(match[3])
  const host = match[1] ?? match[2] ?? ''
  return port < 1 || port > 65_535 ? undefined : { host: host === '' ? 'localhost' : host, port }
}

export interface Addresses {
  /** Without repetition, in the order of the seed. */
  readonly addrs: readonly string[]
  /** What nobody can dial. */
  readonly undialable: readonly string[]
}

export function addressesOf(endpoints: Iterable<{ readonly addr: string }>, seed: number): Addresses {
  const ranks = new Map<string, number>()
  const undialable: string[] = []
  for (const { addr } of endpoints) {
    if (ranks.has(addr)) continue
    if (parseDialAddress(addr) === undefined) undialable.push(addr)
    else ranks.set(addr, rank(addr, seed))
  }
  const ranked = [...ranks].sort(([a, rankOfA], [b, rankOfB]) => rankOfA - rankOfB || (a < b ? -1 : 1))
  return { addrs: ranked.map(([addr]) => addr), undialable }
}

/** 32-bit FNV-1a, with a last mix: equal prefixes are what addresses have. */
function rank(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b)
  return (hash ^ (hash >>> 16)) >>> 0
}
