/**
 * kwok in the place of a kubelet: a node whose Pods get addresses and become ready without running anything. With the default CIDR
 * the addresses are 127.1.0.x, so one server on 0.0.0.0 really answers for every Pod.
 *
 * There is no scheduler: Pods name the node themselves (`spec.nodeName: kwok-node`).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { supervise, untilReady } from '../supervised-process.ts'
import { findTool } from '../tools/find.ts'
import { createKubectl } from './kubectl.ts'

/** Value for `spec.nodeName`. */
export const kwokNode = 'kwok-node'

const STAGES = fileURLToPath(new URL('kwok-stages.yaml', import.meta.url))

export interface KwokOptions {
  readonly kubeconfig: string
  /** Addresses of Pods, from the given one up. Default `127.1.0.1/24`; EndpointSlices refuse loopback addresses. */
  readonly cidr?: string
}

/** Resolves when the node is ready. */
export async function startKwok(options: KwokOptions): Promise<{ readonly stop: () => Promise<void> }> {
  const kubectl = await createKubectl(options.kubeconfig)
  const binary = await findTool('kwok')
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-kwok-'))
  const kwok = supervise({
    command: binary,
    args: [
      `--kubeconfig=${options.kubeconfig}`,
      `--config=${STAGES}`,
      `--cidr=${options.cidr ?? '127.1.0.1/24'}`,
      '--node-ip=127.0.0.1',
      `--manage-single-node=${kwokNode}`,
      '--node-lease-duration-seconds=0',
    ],
    // Its default configuration file is the user's.
    env: { ...process.env, HOME: state },
    logFile: join(state, 'kwok.log'),
    removeOnLoss: state,
  })
  const stop = async (): Promise<void> => {
    await kwok.stop(2000)
    rmSync(state, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    await kubectl.apply(`apiVersion: v1\nkind: Node\nmetadata: { name: ${kwokNode} }\n`)
    const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    const isReady = async (): Promise<boolean> => (await kubectl.run('get', 'node', kwokNode, '-o', ready)) === 'True'
    await untilReady(kwok, isReady, 30_000, 100)
  } catch (error) {
    await stop()
    throw error
  }
  return { stop }
}
