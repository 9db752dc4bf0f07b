/**
 * Watches a target in etcd with etcd's own etcdctl: an observer that shares nothing with the operator. From revision 1 on, so that it does
 * not matter how long etcdctl takes to start.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { z } from 'zod'

import type { Etcd } from '../control-plane/etcd.ts'
import { supervise } from '../supervised-process.ts'
import { findTool } from '../tools/find.ts'
import { nowMs } from './kube-watch.ts'

const responseSchema = z.object({
  Events: z
    .array(
      z.object({
        // 0 (put) is left out.
        type: z.union([z.literal(0), z.literal(1)]).default(0),
        kv: z.object({ key: z.base64(), mod_revision: z.number() }),
      }),
    )
    .nullish(),
})

export interface StoredChange {
  readonly kind: 'put' | 'delete'
  /** The last segment of the key: `host:port`. */
  readonly address: string
  readonly revision: number
}

export interface EtcdWatchOptions {
  readonly etcd: Etcd
  readonly target: string
  /** What came at once, perhaps several revisions, in order. `atMs`: milliseconds since 1970. */
  readonly onChanges: (changes: readonly StoredChange[], atMs: number) => void
}

export async function watchTarget(options: EtcdWatchOptions): Promise<{ readonly stop: () => Promise<void> }> {
  const { etcd, target } = options
  const command = await findTool(`etcdctl-${etcd.version}`)
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-watch-'))
  const child = supervise({
    command,
    args: [`--endpoints=${etcd.endpoint}`, 'watch', `${target}/`, '--prefix', '--rev=1', '--write-out=json'],
    logFile: join(state, 'log'),
    removeOnLoss: state,
    onLine: (line) => {
      const atMs = nowMs()
      const { Events } = responseSchema.parse(JSON.parse(line))
      options.onChanges(
        (Events ?? []).map(({ type, kv }) => ({
          kind: type === 0 ? 'put' : 'delete',
          address: Buffer.from(kv.key, 'base64')
            .toString()
            .slice(target.length + 1),
          revision: kv.mod_revision,
        })),
        atMs,
      )
    },
  })
  return {
    async stop() {
      await child.stop(1000)
      rmSync(state, { recursive: true, force: true })
    },
  }
}
