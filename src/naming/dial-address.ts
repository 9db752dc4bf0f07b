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
  // Asked first, because nearly none is: this runs for every address of a target at every change.
  const path = addr.startsWith('unix:') ? /^unix:(?:\/\/(?=\/))?(.+)$/s.exec(addr)?.[1] : undefined
  if (path !== undefined) return { path }
  const match = /^(?:\[([^[\]]+)\]|([^[\]:/\s]*)):([0-9]{1,5})$/.exec(addr)
  if (match === null) return undefined
  const port = Number(match[3])
  const host = match[1] ?? match[2] ?? ''
  return port < 1 || port > 65_535 ? undefined : { host: host === '' ? 'localhost' : host, port }
}

export interface Dialable {
  /** As it is stored. */
  readonly addr: string
  readonly dial: DialAddress
}

export interface Addresses {
  /** Without repetition, in the order of the seed. */
  readonly addresses: readonly Dialable[]
  /** What nobody can dial. */
  readonly undialable: readonly string[]
}

export function dialAddressesOf(endpoints: Iterable<{ readonly addr: string }>, seed: number): Addresses {
  const ranked = new Map<string, Dialable & { readonly rank: number }>()
  const undialable: string[] = []
  for (const { addr } of endpoints) {
    if (ranked.has(addr)) continue
    const dial = parseDialAddress(addr)
    if (dial === undefined) undialable.push(addr)
    else ranked.set(addr, { addr, dial, rank: rankOf(addr, seed) })
  }
  const addresses = [...ranked.values()].sort((a, b) => a.rank - b.rank || (a.addr < b.addr ? -1 : 1))
  return { addresses, undialable }
}

/** 32-bit FNV-1a, with a last mix: equal prefixes are what addresses have. */
function rankOf(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b)
  return (hash ^ (hash >>> 16)) >>> 0
}
