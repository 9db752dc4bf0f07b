/**
 * Stands between a client and a real API server and breaks chosen requests in a chosen way, once or several times; every other
 * request passes unchanged. Speaks HTTP to the client (so that a test needs no certificates) and HTTPS to the server.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request as httpsRequest } from 'node:https'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'

/** A request as the client sent it. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
}

/** Where a `lines` fault puts what the client is to see. */
export interface LineSink {
  /** These bytes, as they are: a line needs its own line feed. */
  write(bytes: string | Uint8Array): void
  /** Ends the answer in good order. */
  end(): void
  /** The connection breaks. */
  cut(): void
  /** Nothing more comes, and nobody says so. */
  freeze(): void
}

export type Fault =
  /** Answers in place of the server. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body?: unknown
      readonly headers?: Readonly<Record<string, string>>
    }
  /** Breaks the connection at once. */
  | { readonly kind: 'cut' }
  /** Accepts the request and never answers. */
  | { readonly kind: 'silence' }
  /** Passes the request on after a while. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Passes the request on with other query parameters. */
  | { readonly kind: 'query'; readonly set: Readonly<Record<string, string>> }
  /** Passes the server's answer on, changed. */
  | { readonly kind: 'body'; readonly edit: (body: string) => string }
  /** Passes a stream on line by line (without their line feeds). */
  | { readonly kind: 'lines'; readonly edit: (line: string, index: number, to: LineSink) => void }

export interface ArmedFault {
  /** How many requests it has met. */
  readonly used: number
  disarm(): void
}

export interface HttpFaultProxy {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** A kubeconfig for the proxy, with the token of the server behind it. */
  readonly kubeconfig: string
  /** All requests so far, in order. */
  readonly requests: readonly SeenRequest[]
  /** Breaks the next `times` requests that match (default 1). The fault armed first has precedence. */
  arm(matches: (request: SeenRequest) => boolean, fault: Fault, times?: number): ArmedFault
  /** Breaks every open connection. */
  cutAll(): void
  stop(): Promise<void>
}

interface Armed {
  readonly matches: (request: SeenRequest) => boolean
  readonly fault: Fault
  left: number
  used: number
}

export async function startHttpFaultProxy(server: {
  readonly url: string
  readonly caFile: string
  readonly token: string
}): Promise<HttpFaultProxy> {
  const directory = mkdtempSync(join(tmpdir(), 'http-fault-proxy-'))
  const agent = new Agent({ ca: readFileSync(server.caFile), keepAlive: true })
  const requests: SeenRequest[] = []
  const faults: Armed[] = []

  const proxy = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '/', server.url)
    const seen = { method: incoming.method ?? 'GET', path: url.pathname, query: url.searchParams }
    requests.push({ ...seen, query: new URLSearchParams(url.searchParams) })
    const armed = faults.find((each) => each.left > 0 && each.matches(seen))
    if (armed !== undefined) {
      armed.left -= 1
      armed.used += 1
    }
    serve(incoming, outgoing, url, armed?.fault)
  })

  function serve(incoming: IncomingMessage, outgoing: ServerResponse, url: URL, fault: Fault | undefined): void {
    if (fault?.kind === 'silence') return
    if (fault?.kind === 'cut') {
      outgoing.destroy()
      return
    }
    if (fault?.kind === 'answer') {
      outgoing.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers })
      outgoing.end(fault.body === undefined ? '' : JSON.stringify(fault.body))
      return
    }
    if (fault?.kind === 'delay') {
      setTimeout(() => forward(incoming, outgoing, url, undefined), fault.ms)
      return
    }
    if (fault?.kind === 'query')
      for (const [name, value] of Object.entries(fault.set)) url.searchParams.set(name, value)
    forward(incoming, outgoing, url, fault)
  }

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, url: URL, fault: Fault | undefined): void {
    const headers = { ...incoming.headers, host: url.host }
    const upstream = httpsRequest(url, { agent, method: incoming.method, headers }, (answer) => {
      // A changed body has another length.
      const { 'content-length': length, ...rest } = answer.headers
      const changed = fault?.kind === 'body' || fault?.kind === 'lines'
      outgoing.writeHead(answer.statusCode ?? 502, changed || length === undefined ? rest : answer.headers)
      outgoing.flushHeaders()
      pass(answer, outgoing, fault)
    })
    // Gone before it answered, or while it did: the client sees a broken connection too.
    upstream.on('error', () => outgoing.destroy())
    outgoing.on('close', () => upstream.destroy())
    incoming.pipe(upstream)
  }

  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no port')
  const url = `http://127.0.0.1:${address.port}`
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(kubeconfig, kubeconfigText(url, server.token), { mode: 0o600 })

  return {
    url,
    kubeconfig,
    requests,
    arm(matches, fault, times = 1) {
      const armed = { matches, fault, left: times, used: 0 }
      faults.push(armed)
      return {
        get used() {
          return armed.used
        },
        disarm() {
          armed.left = 0
        },
      }
    },
    cutAll: () => proxy.closeAllConnections(),
    async stop() {
      proxy.close()
      proxy.closeAllConnections()
      agent.destroy()
      rmSync(directory, { recursive: true, force: true })
      if (proxy.listening) await once(proxy, 'close')
    },
  }
}

function pass(answer: IncomingMessage, outgoing: ServerResponse, fault: Fault | undefined): void {
  answer.on('error', () => outgoing.destroy())
  if (fault?.kind === 'body') {
    answer.setEncoding('utf8')
    let body = ''
    answer.on('data', (text: string) => (body += text))
    answer.on('end', () => outgoing.end(fault.edit(body)))
  } else if (fault?.kind === 'lines') passLines(answer, outgoing, fault.edit)
  else answer.pipe(outgoing)
}

function passLines(
  answer: IncomingMessage,
  outgoing: ServerResponse,
  edit: (line: string, index: number, to: LineSink) => void,
): void {
  let open = true
  const close = (how: () => void): void => {
    if (open) how()
    open = false
  }
  const sink: LineSink = {
    write: (bytes) => void (open && outgoing.write(bytes)),
    end: () => close(() => outgoing.end()),
    // After what was written is on its way, so that the client sees it before the break.
    cut: () => close(() => outgoing.write('', () => setImmediate(() => outgoing.destroy()))),
    freeze: () => close(() => undefined),
  }
  answer.setEncoding('utf8')
  let pending = ''
  let index = 0
  answer.on('data', (text: string) => {
    const lines = (pending + text).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) if (open) edit(line, index++, sink)
  })
  answer.on('end', () => sink.end())
}

function kubeconfigText(server: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'proxy', cluster: { server } }],
    users: [{ name: 'proxy', user: { token } }],
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
    'current-context': 'proxy',
  })
}
