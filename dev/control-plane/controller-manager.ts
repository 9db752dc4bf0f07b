/** The kube-controller-manager, with the controllers that make workloads behave: no cloud, no nodes, no certificates. */
import { get } from 'node:https'
import { join } from 'node:path'

import { supervise, untilReady, type SupervisedProcess } from '../supervised-process.ts'
import { findTool } from '../tools/find.ts'
import { freePort } from './free-port.ts'

const CONTROLLERS = [
  'deployment-controller',
  'replicaset-controller',
  'statefulset-controller',
  'daemonset-controller',
  'job-controller',
  'disruption-controller',
  'endpointslice-controller',
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
]

export interface ControllerManagerOptions {
  readonly kubeconfig: string
  readonly caFile: string
  readonly serviceAccountKey: string
  /** Holds the log and the serving certificate; somebody else removes it. */
  readonly directory: string
}

/** Resolves when the process serves `/healthz`; its informers fill a moment later. */
export async function startControllerManager(options: ControllerManagerOptions): Promise<SupervisedProcess> {
  const { kubeconfig, directory } = options
  const port = await freePort()
  const manager = supervise({
    command: await findTool('kube-controller-manager'),
    args: [
      `--kubeconfig=${kubeconfig}`,
      `--authentication-kubeconfig=${kubeconfig}`,
      `--authorization-kubeconfig=${kubeconfig}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${join(directory, 'controller-manager-certs')}`,
      `--root-ca-file=${options.caFile}`,
      `--service-account-private-key-file=${options.serviceAccountKey}`,
      '--use-service-account-credentials=false',
      '--leader-elect=false',
      `--controllers=${CONTROLLERS.join(',')}`,
    ],
    logFile: join(directory, 'kube-controller-manager.log'),
    removeOnLoss: directory,
  })
  await untilReady(manager, async () => isHealthy(port))
  return manager
}

async function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    // Its certificate is made on the spot and signed by nobody; this only asks whether it is up.
    const options = { rejectUnauthorized: false, timeout: 1000, agent: false as const }
    const request = get(`https://127.0.0.1:${port}/healthz`, options, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.once('timeout', () => request.destroy(new Error('timeout')))
    request.once('error', () => resolve(false))
  })
}
