/**
 * A real kube-apiserver on 127.0.0.1 with its own etcd and RBAC, and on request the kube-controller-manager. Admission, defaults and
 * validation are those of production; only durability is given up (its etcd does not fsync).
 *
 * Everything lives in one temporary directory, which `stop()` removes; the processes end with their owner.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { supervise, untilReady, type SupervisedProcess } from '../supervised-process.ts'
import { findTool } from '../tools/find.ts'
import { startControllerManager } from './controller-manager.ts'
import { startEtcd, type Etcd } from './etcd.ts'
import { freePort } from './free-port.ts'
import { createKubectl } from './kubectl.ts'

/** It waits for its clients' watches to end; long enough to finish what is being written, short enough for a test. */
const RESTART_GRACE_MS = 1500

export interface ApiServerOptions {
  readonly extraArgs?: readonly string[]
  /** Also run the kube-controller-manager (Deployments become Pods, owners are garbage-collected). Default: no. */
  readonly controllerManager?: boolean
}

export interface ApiServer {
  /** `https://127.0.0.1:<port>` */
  readonly url: string
  /** Path of a kubeconfig for a cluster admin. */
  readonly kubeconfig: string
  /** PEM file that the serving certificate is verified against. */
  readonly caFile: string
  /** Bearer token of the admin. */
  readonly token: string
  readonly port: number
  readonly stop: () => Promise<void>
  /** The API server alone goes away and comes back on the same port with the same data. */
  readonly restart: () => Promise<void>
  /** SIGSTOP of the API server: connections stay open and nothing answers. */
  readonly pause: () => void
  readonly resume: () => void
  /** Runs kubectl as admin; returns its standard output. */
  readonly kubectl: (...args: string[]) => Promise<string>
  /** Server-side apply of YAML text, of a file or of a directory. */
  readonly kubectlApply: (yamlOrPath: string) => Promise<string>
}

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const binary = await findTool('kube-apiserver')
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-kubernetes-'))
  const running: { readonly stop: () => Promise<unknown> }[] = []
  const stop = async (): Promise<void> => {
    for (const each of running.splice(0).reverse()) await each.stop()
    rmSync(state, { recursive: true, force: true, maxRetries: 5 })
  }

  try {
    const etcd = await startEtcd({ extraArgs: ['--unsafe-no-fsync'] })
    running.push(etcd)
    const port = await freePort()
    const url = `https://127.0.0.1:${port}`
    const token = randomBytes(16).toString('hex')
    const caFile = join(state, 'certs', 'apiserver.crt')
    const kubeconfig = join(state, 'kubeconfig')
    const serviceAccountKey = join(state, 'service-account.key')
    writeFileSync(join(state, 'tokens.csv'), `${token},admin,admin,system:masters\n`)
    writeFileSync(serviceAccountKey, newServiceAccountKey())
    writeFileSync(kubeconfig, kubeconfigText(url, caFile, token), { mode: 0o600 })

    const launch = async (): Promise<SupervisedProcess> =>
      launchApiServer({
        binary,
        state,
        etcd,
        port,
        caFile,
        token,
        serviceAccountKey,
        extraArgs: options.extraArgs,
      })
    let server = await launch()
    running.push({ stop: async () => server.stop(RESTART_GRACE_MS) })
    if (options.controllerManager === true) {
      running.push(await startControllerManager({ kubeconfig, caFile, serviceAccountKey, directory: state }))
    }

    const kubectl = await createKubectl(kubeconfig)
    return {
      url,
      kubeconfig,
      caFile,
      token,
      port,
      stop,
      async restart() {
        await server.stop(RESTART_GRACE_MS)
        server = await launch()
      },
      pause: () => server.signal('SIGSTOP'),
      resume: () => server.signal('SIGCONT'),
      kubectl: kubectl.run,
      kubectlApply: kubectl.apply,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Launch {
  readonly binary: string
  readonly state: string
  readonly etcd: Etcd
  readonly port: number
  readonly caFile: string
  readonly token: string
  readonly serviceAccountKey: string
  readonly extraArgs: readonly string[] | undefined
}

async function launchApiServer(launch: Launch): Promise<SupervisedProcess> {
  const { state, port, serviceAccountKey } = launch
  const server = supervise({
    command: launch.binary,
    args: [
      `--etcd-servers=${launch.etcd.endpoint}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${port}`,
      // Makes the serving certificate here at the first start and keeps it at the next ones.
      `--cert-dir=${join(state, 'certs')}`,
      '--authorization-mode=RBAC',
      `--token-auth-file=${join(state, 'tokens.csv')}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${serviceAccountKey}`,
      `--service-account-signing-key-file=${serviceAccountKey}`,
      '--service-cluster-ip-range=10.0.0.0/24',
      // An endpoint of 127.0.0.1 for the `kubernetes` Service would be refused again and again.
      '--endpoint-reconciler-type=none',
      // Without the controller manager nobody creates the default ServiceAccounts, and every Pod would be refused.
      '--disable-admission-plugins=ServiceAccount',
      ...(launch.extraArgs ?? []),
    ],
    logFile: join(state, 'kube-apiserver.log'),
    removeOnLoss: state,
  })
  await untilReady(server, async () => isReady(port, launch.caFile, launch.token))
  return server
}

function newServiceAccountKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return privateKey.export({ type: 'pkcs1', format: 'pem' })
}

/** JSON is YAML. */
function kubeconfigText(server: string, caFile: string, token: string): string {
  const name = 'grpc-etcd-dev'
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority': caFile } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

async function isReady(port: number, caFile: string, token: string): Promise<boolean> {
  let ca: string
  try {
    ca = await readFile(caFile, 'utf8')
  } catch {
    return false // the server has not made its certificate yet
  }
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` }
    const url = `https://127.0.0.1:${port}/readyz`
    const request = get(url, { ca, headers, timeout: 2000, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.once('timeout', () => request.destroy(new Error('timeout')))
    request.once('error', () => resolve(false))
  })
}
