/** What the demo's own watches of Kubernetes tell the timeline: which Pod or GrpcEndpoint serves, and since when. */
import { z } from 'zod'

import type { ApiServer } from '../control-plane/api-server.ts'
import { watchKube } from './kube-watch.ts'
import type { Timeline } from './timeline.ts'

const podSchema = z.object({
  metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
  status: z.object({
    podIP: z.string().optional(),
    conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
  }),
})
const endpointSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ address: z.string() }),
})

export interface SourceOptions {
  readonly api: ApiServer
  readonly namespace: string
  /** Of every Pod. */
  readonly port: number
  readonly timeline: Timeline
  readonly onBroken: (error: Error) => void
}

export async function watchSources(options: SourceOptions): Promise<{ readonly stop: () => void }> {
  const { api, timeline, onBroken } = options
  const serving = new Map<string, string>()

  const note = (source: string, address: string | undefined, atMs: number): void => {
    const before = serving.get(source)
    if (before === address) return
    if (before !== undefined) timeline.sourceGone(source, before, atMs)
    if (address === undefined) {
      serving.delete(source)
      return
    }
    serving.set(source, address)
    timeline.sourceReady(source, address, atMs)
  }

  const pods = await watchKube({
    api,
    path: `/api/v1/namespaces/${options.namespace}/pods`,
    onEvent(type, object, atMs) {
      const { metadata, status } = podSchema.parse(object)
      const ready = status.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True')
      const serves = ready && type !== 'DELETED' && metadata.deletionTimestamp === undefined
      const address = serves && status.podIP !== undefined ? `${status.podIP}:${options.port}` : undefined
      note(metadata.name, address, atMs)
    },
    onBroken,
  })
  const endpoints = await watchKube({
    api,
    path: `/apis/grpcetcd.dev/v1alpha1/namespaces/${options.namespace}/grpcendpoints`,
    onEvent(type, object, atMs) {
      const { metadata, spec } = endpointSchema.parse(object)
      note(metadata.name, type === 'DELETED' ? undefined : spec.address, atMs)
    },
    onBroken,
  })
  return {
    stop() {
      pods.stop()
      endpoints.stop()
    },
  }
}
