/** The real API server's own answers: objects in and out as plain JSON, its messages and its `Warning` headers. */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import type { ApiServer } from '../../../dev/control-plane/api-server.ts'

export interface Answer {
  readonly status: number
  readonly warnings: readonly string[]
  readonly body: Readonly<Record<string, unknown>>
}

export interface RawApi {
  call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<Answer>
  close(): Promise<void>
}

export function createRawApi(server: ApiServer): RawApi {
  const dispatcher = new Agent({ connect: { ca: readFileSync(server.caFile) } })
  return {
    async call(method, path, body) {
      const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const response = await request(server.url + path, {
        method,
        dispatcher,
        headers: { authorization: `Bearer ${server.token}`, 'content-type': contentType },
        body: body === undefined ? null : JSON.stringify(body),
      })
      const warning = response.headers['warning'] ?? []
      return {
        status: response.statusCode,
        warnings: typeof warning === 'string' ? [warning] : warning,
        body: asRecord(await response.body.json()),
      }
    },
    close: async () => dispatcher.close(),
  }
}

/** A JSON object, or a failed test. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not a JSON object')
  return Object.fromEntries(Object.entries(value))
}
