/** Plain JSON requests to the API server over kept-alive connections, so that the sender is no part of what is measured. */
import { readFileSync } from 'node:fs'

import { Pool } from 'undici'

import type { ApiServer } from '../dev/control-plane/api-server.ts'
import type { BenchPod } from './workload.ts'
import { NAMESPACE, podManifest, podStatus } from './workload.ts'

const CONNECTIONS = 16

export interface Cluster {
  /** Creates all, several at a time. */
  readonly create: (pods: readonly BenchPod[]) => Promise<void>
  /** Resolves when the API server has acknowledged it. */
  readonly setReady: (pod: BenchPod, ready: boolean) => Promise<void>
  readonly stop: () => Promise<void>
}

export function connectCluster(api: ApiServer): Cluster {
  const connect = { ca: readFileSync(api.caFile, 'utf8') }
  const pool = new Pool(api.url, { connections: CONNECTIONS, pipelining: 1, allowH2: false, connect })

  async function send(method: 'POST' | 'PATCH', path: string, contentType: string, body: object): Promise<void> {
    const response = await pool.request({
      method,
      path,
      headers: { authorization: `Bearer ${api.token}`, 'content-type': contentType },
      body: JSON.stringify(body),
    })
    const text = await response.body.text()
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: status ${response.statusCode}: ${text}`)
  }

  const pods = `/api/v1/namespaces/${NAMESPACE}/pods`
  const setReady = async (pod: BenchPod, ready: boolean): Promise<void> =>
    send('PATCH', `${pods}/${pod.name}/status`, 'application/merge-patch+json', podStatus(pod, ready))

  return {
    async create(all) {
      const waiting = all.values()
      const work = async (): Promise<void> => {
        for (const pod of waiting) {
          await send('POST', pods, 'application/json', podManifest(pod))
          await setReady(pod, true)
        }
      }
      await Promise.all(Array.from({ length: CONNECTIONS }, work))
    },
    setReady,
    stop: async () => pool.destroy(),
  }
}
