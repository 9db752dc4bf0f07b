/** How an endpoint of etcd is written, and what grpc-js has to be told for it. Pure. */
import { isIP } from 'node:net'

/** `host:port` without a scheme is plain http, as for Go's client. */
export function endpointUrl(endpoint: string): URL {
  return new URL(endpoint.includes('://') ? endpoint : `http://${endpoint}`)
}

export function isSecure(endpoint: URL): boolean {
  return endpoint.protocol === 'https:'
}

/** With the port always: `URL` drops the usual one of its scheme, and grpc-js would put 443 in its place. */
export function dialAddress(endpoint: URL): string {
  return `${endpoint.hostname}:${endpoint.port || (isSecure(endpoint) ? '443' : '80')}`
}

/** Without the brackets of an IPv6 address. */
export function hostOf(endpoint: URL): string {
  return endpoint.hostname.replace(/^\[(.*)\]$/, '$1')
}

/** grpc-js would send an IP address as TLS server name, which Node refuses (and RFC 6066 forbids). */
export function sniOf(endpoint: URL): string {
  const host = hostOf(endpoint)
  return isIP(host) === 0 ? host : 'etcd.invalid'
}
