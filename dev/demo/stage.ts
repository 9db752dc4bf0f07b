/** What the demo plays on: real servers on this machine, the operator as a process, and one gRPC server that is every Pod. */
import { join } from 'node:path'

import { z } from 'zod'

import { startGoServer, type GoProgram } from '../../test/support/go-client.ts'
import { startApiServer, type ApiServer } from '../control-plane/api-server.ts'
import { startEtcd, type Etcd } from '../control-plane/etcd.ts'
import { freePort } from '../control-plane/free-port.ts'
import { startKwok } from '../control-plane/kwok.ts'
import { checkout } from '../tools/catalogue.ts'
import { formatSeconds } from '../tools/progress.ts'
import { startBuiltOperator } from './operator.ts'

/** Of examples/greeter.yaml. */
const USUAL_PORT = 50051

export interface Stage {
  readonly api: ApiServer
  /** The naming store, not the API server's own. */
  readonly etcd: Etcd
  /** Where the gRPC server listens, on every address of this machine. */
  readonly serverPort: number
}

export interface StageOptions {
  /** Takes in whatever was started as soon as it runs, so that it is stopped even when the rest does not start. */
  readonly running: { readonly stop: () => unknown }[]
  readonly say: (part: string, text: string) => void
}

export async function setStage({ running, say }: StageOptions): Promise<Stage> {
  const startedAt = performance.now()
  const keep = <Handle extends { readonly stop: () => unknown }>(handle: Handle): Handle => {
    running.push(handle)
    return handle
  }
  const [etcd, api, server] = await Promise.all([
    startEtcd().then(keep),
    startApiServer({ controllerManager: true }).then(keep),
    startServer().then(keep),
  ])
  await Promise.all([startKwok({ kubeconfig: api.kubeconfig }).then(keep), installCrds(api)])
  const versions = await versionsOf(api, etcd)
  say(
    'cluster',
    `${versions} ready in ${formatSeconds((performance.now() - startedAt) / 1000)} · kwok is the node · CRDs installed`,
  )

  const operatorStartedAt = performance.now()
  keep(await startBuiltOperator({ kubeconfig: api.kubeconfig, etcdEndpoint: etcd.endpoint }))
  say('operator', `leading after ${formatSeconds((performance.now() - operatorStartedAt) / 1000)}`)
  return { api, etcd, serverPort: server.port }
}

async function startServer(): Promise<GoProgram & { readonly port: number }> {
  try {
    return { ...(await startGoServer({ port: USUAL_PORT })), port: USUAL_PORT }
  } catch {
    // Somebody else's; if there is another reason, the second try tells.
    const port = await freePort()
    return { ...(await startGoServer({ port })), port }
  }
}

async function installCrds(api: ApiServer): Promise<void> {
  await api.kubectlApply(join(checkout, 'manifests/crds'))
  await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
}

async function versionsOf(api: ApiServer, etcd: Etcd): Promise<string> {
  const kubernetes = z
    .object({ gitVersion: z.string() })
    .parse(JSON.parse(await api.kubectl('get', '--raw', '/version')))
  const answer: unknown = await (await fetch(`${etcd.endpoint}/version`)).json()
  const { etcdserver } = z.object({ etcdserver: z.string() }).parse(answer)
  return `kube-apiserver ${kubernetes.gitVersion.replace(/^v/, '')} · etcd ${etcdserver}`
}
