/**
 * The control plane of `make up`: one background process that holds the servers, found through a socket. Its life is the socket's: no
 * pid is remembered, so nothing of somebody else's is ever signalled, and a killed one is simply not there.
 *
 * State for people lies in `.dev/` of the checkout: `kubeconfig`, `environment.json`, `operator.log`, `playground.log`.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { z } from 'zod'

import { checkout, type ToolName } from './tools/catalogue.ts'

export const stateDirectory = join(checkout, '.dev')
export const environmentFile = join(stateDirectory, 'environment.json')
export const logFile = join(stateDirectory, 'playground.log')

/** In the temporary directory, because a socket's path may have 104 characters at most and a checkout's may be longer. */
export const socketPath = join(
  tmpdir(),
  `grpc-etcd-dev-${createHash('sha256').update(checkout).digest('hex').slice(0, 12)}.sock`,
)

export const playgroundTools = [
  'kube-apiserver',
  'kube-controller-manager',
  'kubectl',
  'etcd-3.7',
  'etcdctl-3.7',
  'kwok',
] as const satisfies readonly ToolName[]

const environmentSchema = z.object({
  kubeconfig: z.string(),
  etcdEndpoint: z.string(),
  /** Directories to put before PATH, for kubectl, etcdctl and grpc-etcd. */
  path: z.array(z.string()),
  /** `undefined` when there was no built operator to run. */
  operatorLog: z.string().optional(),
})

export type PlaygroundEnvironment = z.infer<typeof environmentSchema>

export function readEnvironment(): PlaygroundEnvironment {
  return environmentSchema.parse(JSON.parse(readFileSync(environmentFile, 'utf8')))
}

/** Sends one word and returns the answer: `ready`, `starting`; `undefined` when no playground runs. `stop` answers when all is gone. */
export async function ask(word: 'status' | 'stop'): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(socketPath, () => socket.write(`${word}\n`))
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (answer += text))
    socket.once('close', () => resolve(answer === '' ? undefined : answer.trim()))
    socket.once('error', () => resolve(undefined))
  })
}
