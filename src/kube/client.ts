/**
 * HTTP to the API server. The only file that knows `@kubernetes/client-node`, which reads the user's credentials for us; the
 * requests are undici's. Foreign errors become ours here, once, and never carry a token, a query or a body.
 *
 * One connection pool for everything: HTTP/1.1 without pipelining, so that each watch has a connection of its own and one dead
 * connection stalls one watch. Credentials are applied to every request; the pool is replaced when certificates change.
 */
import type { RequestOptions } from 'node:https'
import { isDeepStrictEqual } from 'node:util'
import { KubeConfig } from '@kubernetes/client-node'
import { request as httpRequest, type Dispatcher } from 'undici'
import { ConfigError, UnavailableError } from '../errors.ts'
import { locateKubeconfig, selectContext, type KubeconfigSource } from './kubeconfig.ts'
import { authorization, createPool, tlsOptions, type TlsOptions } from './http-pool.ts'
import { credentialsError, networkError } from './network-error.ts'
import { describeTarget, httpError, type RequestTarget } from './status-error.ts'

export interface KubeRequest {
  readonly method?: 'GET' | 'PATCH' | 'POST' | 'PUT' | 'DELETE'
  /** Starts with `/`, without the query. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** Of the body; `application/json` if absent. */
  readonly contentType?: string
  /** Give up (TimeoutError) when the server sends nothing for so long; 30 s if absent. */
  readonly silenceMs?: number
}

/**
 * Both calls throw the classes of `errors.ts`: ForbiddenError (401, 403, a certificate that is not trusted), ApiStatusError
 * (the server's other definite refusals), UnavailableError (429, 5xx, not reached, or an answer that is not JSON: `undecodable`),
 * TimeoutError (silence; for a write also a connection lost after sending). A signal that aborts throws its reason.
 */
export interface KubeClient {
  /** The API server's URL. */
  readonly server: string
  /** One request; the answer's JSON. */
  request(request: KubeRequest, signal: AbortSignal): Promise<unknown>
  /** One request whose answer arrives bit by bit, a watch. Resolves as soon as the server accepts it. */
  stream(request: KubeRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Cuts what is still open. */
  close(): Promise<void>
}

interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly pool: Dispatcher
}

const SILENCE_MS = 30_000

/** Throws ConfigError when the configuration can not be used; does not connect. */
export function createKubeClient(options: { readonly kubeconfig?: string; readonly context?: string }): KubeClient {
  const source = locateKubeconfig(options.kubeconfig, process.env)
  let config = load(source, options.context)
  const server = serverOf(config)
  const pools = new Set<Dispatcher>()
  let current: { readonly tls: TlsOptions; readonly pool: Dispatcher } | undefined

  async function credentials(): Promise<Credentials> {
    const applied: RequestOptions = {}
    try {
      await config.applyToHTTPSOptions(applied)
    } catch (error) {
      throw credentialsError(server, error)
    }
    const tls = tlsOptions(applied)
    if (current === undefined || !isDeepStrictEqual(current.tls, tls)) {
      if (current !== undefined) retire(current.pool)
      current = { tls, pool: createPool(config.getCurrentCluster()?.proxyUrl, tls) }
      pools.add(current.pool)
    }
    return { headers: authorization(applied), pool: current.pool }
  }

  /** Requests that run on the old certificates may end there; no new one starts. */
  function retire(pool: Dispatcher): void {
    pool.close(() => pools.delete(pool))
  }

  /** Reads the configuration again; the credentials in it, if they are not those that were refused. */
  async function renewed(refused: Credentials): Promise<Credentials | undefined> {
    const reloaded = reload()
    // A kubeconfig that now points elsewhere must not carry us over to another cluster (S15).
    if (reloaded === undefined || serverOf(reloaded) !== server) return undefined
    config = reloaded
    const next = await credentials()
    return next.pool === refused.pool && isDeepStrictEqual(next.headers, refused.headers) ? undefined : next
  }

  function reload(): KubeConfig | undefined {
    try {
      return load(source, options.context)
    } catch (error) {
      // Half-written, or gone for good: the refusal that made us look is the better message.
      if (error instanceof ConfigError) return undefined
      throw error
    }
  }

  async function send(request: KubeRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const target = targetOf(request)
    const first = await credentials()
    const response = await exchange(request, first, signal)
    if (response.statusCode < 300) return response
    if (response.statusCode === 401) {
      const next = await renewed(first)
      if (next !== undefined) {
        await response.body.dump()
        const second = await exchange(request, next, signal)
        if (second.statusCode < 300) return second
        throw await refusal(target, second, signal)
      }
    }
    throw await refusal(target, response, signal)
  }

  async function exchange(
    request: KubeRequest,
    use: Credentials,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const silenceMs = request.silenceMs ?? SILENCE_MS
    try {
      return await httpRequest(server + request.path + queryString(request.query), {
        dispatcher: use.pool,
        method: request.method ?? 'GET',
        headers: { ...use.headers, ...contentHeaders(request) },
        body: request.body === undefined ? null : JSON.stringify(request.body),
        headersTimeout: Math.min(SILENCE_MS, silenceMs),
        bodyTimeout: silenceMs,
        signal,
      })
    } catch (error) {
      throw failure(targetOf(request), error, signal)
    }
  }

  function targetOf(request: KubeRequest): RequestTarget {
    return { method: request.method ?? 'GET', path: request.path, server }
  }

  return {
    server,
    async request(request, signal) {
      const response = await send(request, signal)
      const text = await readText(targetOf(request), response, signal)
      try {
        return JSON.parse(text) as unknown
      } catch {
        const target = describeTarget(targetOf(request))
        throw new UnavailableError(`${target}: the answer is not JSON`, { code: 'undecodable', target })
      }
    },
    async stream(request, signal) {
      const response = await send(request, signal)
      return chunks(targetOf(request), response, signal)
    },
    async close() {
      await Promise.all([...pools].map(async (pool) => pool.destroy()))
    },
  }
}

function load(source: KubeconfigSource, context: string | undefined): KubeConfig {
  const config = new KubeConfig()
  if (source.kind === 'in-cluster') {
    config.loadFromCluster()
    return config
  }
  const selected = selectContext(source.files, context)
  const { tokenFile, token, ...user } = selected.user
  config.loadFromString(
    JSON.stringify({
      clusters: [
        { name: 'cluster', cluster: { ...selected.cluster, server: selected.server, ...plainHttp(selected.server) } },
      ],
      // client-node knows a token file only by the name of its own provider; the file wins over a token, as in kubectl.
      users: [
        {
          name: 'user',
          user:
            tokenFile === undefined
              ? { ...user, token }
              : { ...user, 'auth-provider': { name: 'tokenFile', config: { tokenFile } } },
        },
      ],
      contexts: [{ name: selected.context, context: { cluster: 'cluster', user: 'user' } }],
      'current-context': selected.context,
    }),
  )
  return config
}

/** client-node refuses http:// unless told that nobody checks certificates there, which is so. */
function plainHttp(server: string): Readonly<Record<string, boolean>> {
  return server.startsWith('http:') ? { 'insecure-skip-tls-verify': true } : {}
}

function serverOf(config: KubeConfig): string {
  return config.getCurrentCluster()?.server ?? ''
}

function contentHeaders(request: KubeRequest): Readonly<Record<string, string>> {
  const always = { accept: 'application/json', 'user-agent': 'grpc-etcd-operator' }
  return request.body === undefined ? always : { ...always, 'content-type': request.contentType ?? 'application/json' }
}

function queryString(query: KubeRequest['query'] = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`
}

async function refusal(target: RequestTarget, response: Dispatcher.ResponseData, signal: AbortSignal): Promise<Error> {
  const retryAfter = response.headers['retry-after']
  const body = await readText(target, response, signal)
  return httpError(target, response.statusCode, body, typeof retryAfter === 'string' ? retryAfter : undefined)
}

async function readText(
  target: RequestTarget,
  response: Dispatcher.ResponseData,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await response.body.text()
  } catch (error) {
    throw failure(target, error, signal)
  }
}

async function* chunks(
  target: RequestTarget,
  response: Dispatcher.ResponseData,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* response.body as AsyncIterable<Uint8Array>
  } catch (error) {
    throw failure(target, error, signal)
  }
}

/** What the caller asked for (abort) stays as it is. */
function failure(target: RequestTarget, error: unknown, signal: AbortSignal): unknown {
  return signal.aborted ? signal.reason : networkError(target, error)
}
