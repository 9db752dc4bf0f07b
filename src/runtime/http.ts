/** A small HTTP server: `/healthz` (this process runs), `/readyz` (its view is complete and alive) and `/metrics` (for Prometheus). */
import { createServer, type ServerResponse } from 'node:http'

export interface HealthServer {
  /** `host:port` it listens on, the port that was found included. */
  readonly address: string
  close(): Promise<void>
}

export interface HealthOptions {
  /** `host:port` or `:port`. */
  readonly address: string
  /** What is missing before this process can do its work; empty when it is ready. */
  readonly unready: () => readonly string[]
  readonly metrics: { readonly text: () => Promise<string>; readonly contentType: string }
}

export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const { metrics } = options
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/healthz') return answer(response, 200, 'ok')
    if (path === '/metrics') {
      void metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
        (error: unknown) => answer(response, 500, String(error)),
      )
      return undefined
    }
    if (path !== '/readyz') return answer(response, 404, 'there are /healthz, /readyz and /metrics')
    const missing = options.unready()
    return answer(response, missing.length === 0 ? 200 : 503, missing.length === 0 ? 'ok' : missing.join('\n'))
  })
  const { host, port } = parseListenAddress(options.address)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new TypeError('a TCP server has an address and a port')
  return {
    address: bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}

function parseListenAddress(address: string): { readonly host: string | undefined; readonly port: number } {
  const at = address.lastIndexOf(':')
  const host = address.slice(0, at).replace(/^\[|\]$/g, '')
  return { host: host === '' ? undefined : host, port: Number(address.slice(at + 1)) }
}
