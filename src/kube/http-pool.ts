/**
 * The connections to the API server, and what client-node's credentials (an options object of `node:https`) mean to them.
 * HTTP/1.1 without pipelining and without a bound: a watch occupies one connection and never delays another request.
 */
import type { RequestOptions } from 'node:https'
import { Agent, ProxyAgent, type buildConnector, type Dispatcher } from 'undici'

const CONNECT_TIMEOUT_MS = 10_000
/** Shorter than what load balancers and the API server (90 s) allow an idle connection. */
const IDLE_CONNECTION_MS = 30_000

export type TlsOptions = Pick<
  RequestOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'
>

export function tlsOptions({ ca, cert, key, passphrase, servername, rejectUnauthorized }: RequestOptions): TlsOptions {
  const all = Object.entries({ ca, cert, key, passphrase, servername, rejectUnauthorized })
  return Object.fromEntries(all.filter(([, value]) => value !== undefined))
}

/** `proxyUrl`: the kubeconfig's `proxy-url`. */
export function createPool(proxyUrl: string | undefined, tls: TlsOptions): Dispatcher {
  const shared = { pipelining: 1, allowH2: false, keepAliveTimeout: IDLE_CONNECTION_MS }
  // Node's and undici's types say the same with different `undefined`s.
  const connect = { ...tls, timeout: CONNECT_TIMEOUT_MS } as buildConnector.BuildOptions
  return proxyUrl === undefined
    ? new Agent({ ...shared, connect })
    : new ProxyAgent({ ...shared, uri: proxyUrl, requestTls: connect })
}

export function authorization({ headers, auth }: RequestOptions): Readonly<Record<string, string>> {
  // A token file often ends in a line feed, which no header may hold.
  const given = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), String(value).trim()])
  const basic = typeof auth === 'string' ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}
  return { ...basic, ...Object.fromEntries(given) }
}
