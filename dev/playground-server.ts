/** The background process of `make up`: see playground.ts. Ends on `stop` through the socket, SIGTERM, SIGINT or SIGHUP. */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'

import { startApiServer } from './control-plane/api-server.ts'
import { startEtcd } from './control-plane/etcd.ts'
import { freePort } from './control-plane/free-port.ts'
import { startKwok } from './control-plane/kwok.ts'
import { ask, environmentFile, socketPath, stateDirectory, type PlaygroundEnvironment } from './playground.ts'
import { supervise } from './supervised-process.ts'
import { checkout } from './tools/catalogue.ts'
import { findTool } from './tools/find.ts'

const running: { readonly stop: () => Promise<unknown> }[] = []
const kubeconfig = join(stateDirectory, 'kubeconfig')
let state = 'starting'
let stopping: Promise<void> | undefined

async function stopAll(): Promise<void> {
  rmSync(environmentFile, { force: true })
  rmSync(kubeconfig, { force: true })
  for (const each of running.splice(0).reverse()) await each.stop()
}

const server = createServer((socket) => {
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.once('data', (word: string) => {
    if (word.trim() === 'status') socket.end(`${state}\n`)
    else void end().then(() => socket.end('stopped\n', () => process.exit(0)))
  })
})

async function end(): Promise<void> {
  stopping ??= stopAll().finally(() => server.close())
  await stopping
}

async function listen(): Promise<void> {
  // The socket of a playground that was killed stays behind as a file; one that answers has a living owner.
  if ((await ask('status')) !== undefined) throw new Error('a playground runs already')
  rmSync(socketPath, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, resolve)
  })
}

/** The built operator, when there is one. */
async function startOperator(etcdEndpoint: string): Promise<string | undefined> {
  const program = join(checkout, 'dist/grpc-etcd.js')
  if (!existsSync(program)) return undefined
  const operatorLog = join(stateDirectory, 'operator.log')
  const metrics = `127.0.0.1:${await freePort()}`
  const args = [`--kubeconfig=${kubeconfig}`, `--etcd-endpoints=${etcdEndpoint}`, `--metrics-address=${metrics}`]
  const operator = supervise({
    command: process.execPath,
    args: [program, 'operator', ...args],
    logFile: operatorLog,
  })
  running.push(operator)
  return operatorLog
}

async function start(): Promise<void> {
  const etcd = await startEtcd()
  running.push(etcd)
  const api = await startApiServer({ controllerManager: true })
  running.push(api)
  copyFileSync(api.kubeconfig, kubeconfig)
  running.push(await startKwok({ kubeconfig }))
  const crds = join(checkout, 'manifests/crds')
  if (existsSync(crds)) {
    await api.kubectlApply(crds)
    await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
  }
  const operatorLog = await startOperator(etcd.endpoint)

  const commands = join(stateDirectory, 'bin')
  mkdirSync(commands, { recursive: true })
  const path = [commands, dirname(await findTool('kubectl')), dirname(await findTool('etcdctl-3.7'))]
  const script = `#!/bin/sh\nexec '${process.execPath}' '${join(checkout, 'dist/grpc-etcd.js')}' "$@"\n`
  writeFileSync(join(commands, 'grpc-etcd'), script, { mode: 0o755 })
  const environment: PlaygroundEnvironment = { kubeconfig, etcdEndpoint: etcd.endpoint, path, operatorLog }
  writeFileSync(`${environmentFile}.new`, JSON.stringify(environment, null, 2))
  renameSync(`${environmentFile}.new`, environmentFile)
}

mkdirSync(stateDirectory, { recursive: true })
await listen()
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => void end().then(() => process.exit(0)))
}
try {
  await start()
  state = 'ready'
} catch (error) {
  await end()
  throw error
}
