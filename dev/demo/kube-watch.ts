/**
 * Watches one collection of the API server: a plain request and JSON.parse, nothing of the operator's own code, so that what the demo
 * says about the operator comes from somebody else. It has no second try: a demo ends before a watch does.
 */
import { readFileSync } from 'node:fs'
import { get, type RequestOptions } from 'node:https'
import { createInterface } from 'node:readline'

import { z } from 'zod'

import type { ApiServer } from '../control-plane/api-server.ts'

const eventSchema = z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), object: z.unknown() })

export interface KubeWatchOptions {
  readonly api: ApiServer
  /** Of the collection, e.g. `/api/v1/namespaces/demo/pods`. */
  readonly path: string
  /** Called for each event, what is there at the start included. `atMs`: milliseconds since 1970. */
  readonly onEvent: (type: 'ADDED' | 'MODIFIED' | 'DELETED', object: unknown, atMs: number) => void
  /** The watch ended before `stop`. */
  readonly onBroken: (error: Error) => void
}

/** Resolves when the server has accepted the watch. */
export async function watchKube(options: KubeWatchOptions): Promise<{ readonly stop: () => void }> {
  const { api, path, onBroken } = options
  const request: RequestOptions = {
    ca: readFileSync(api.caFile),
    headers: { authorization: `Bearer ${api.token}` },
    agent: false,
  }
  return new Promise((resolve, reject) => {
    let stopped = false
    const watching = get(`${api.url}${path}?watch=true`, request, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`watch of ${path}: status ${response.statusCode}`))
      const lines = createInterface({ input: response })
      lines.on('line', (line) => {
        const atMs = nowMs()
        const { type, object } = eventSchema.parse(JSON.parse(line))
        options.onEvent(type, object, atMs)
      })
      // An aborted response is an error of the reader too; `close` follows in any case.
      lines.on('error', () => undefined)
      lines.once('close', () => {
        if (!stopped) onBroken(new Error(`the watch of ${path} ended`))
      })
      resolve({
        stop() {
          stopped = true
          watching.destroy()
        },
      })
    })
    watching.on('error', (error) => {
      if (!stopped) reject(error)
    })
  })
}

/** Milliseconds since 1970 with a fraction, as the Go client counts them. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now()
}
