/**
 * `make up`: a control plane to play with, in the background, until `make down`. Running it again is fine: it prints the same lines.
 * Standard output is only what to export, so that `eval "$(make -s up)"` works.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { ask, logFile, playgroundTools, readEnvironment, stateDirectory } from './playground.ts'
import { findTool } from './tools/find.ts'
import { formatSeconds } from './tools/progress.ts'

const START_TIMEOUT_MS = 120_000

async function startInBackground(): Promise<void> {
  mkdirSync(stateDirectory, { recursive: true })
  const log = openSync(logFile, 'w')
  // Its own session: neither Ctrl-C here nor the end of the terminal reaches it.
  const server = spawn(process.execPath, [fileURLToPath(new URL('playground-server.ts', import.meta.url))], {
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const ended = new Promise<'ended'>((resolve) => server.once('exit', () => resolve('ended')))
  const deadline = performance.now() + START_TIMEOUT_MS
  while ((await ask('status')) !== 'ready') {
    const outcome = await Promise.race([ended, sleep(100)])
    // Another `make up` may have been faster: then ours ended and theirs is on its way.
    if (outcome === 'ended' && (await ask('status')) === undefined) {
      throw new Error(`the control plane did not start; ${logFile} says:\n${readFileSync(logFile, 'utf8')}`)
    }
    if (outcome === 'ended') await sleep(100)
    if (performance.now() > deadline) throw new Error(`the control plane is not ready; see ${logFile}`)
  }
  server.unref()
}

for (const tool of playgroundTools) await findTool(tool)
const startedAt = performance.now()
if ((await ask('status')) === 'ready') {
  console.error('cluster   is up already')
} else {
  await startInBackground()
  console.error(`cluster   ready in ${formatSeconds((performance.now() - startedAt) / 1000)} · stays until make down`)
}
const environment = readEnvironment()
console.error(
  environment.operatorLog === undefined
    ? 'operator  not built yet: make build, make down, make up'
    : `operator  logs to ${environment.operatorLog}`,
)
console.error('next      export these, then: kubectl get grpcservices -A   etcdctl get --prefix ""\n')
console.log(`export KUBECONFIG='${environment.kubeconfig}'`)
console.log(`export ETCDCTL_ENDPOINTS='${environment.etcdEndpoint}'`)
console.log(`export GRPC_ETCD_ETCD_ENDPOINTS='${environment.etcdEndpoint}'`)
console.log(`export PATH='${environment.path.join(':')}':"$PATH"`)
