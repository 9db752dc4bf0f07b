/** `grpc-etcd operator`: from the command line to a running operator, and to the exit code. */
import { destination, pino, type Logger } from 'pino'
import pretty from 'pino-pretty'
import { asksForHelp } from '../config/command-line.ts'
import { describeSettings, loadConfig, operatorCommand, type Config } from '../config.ts'
import { runOperator, type ServiceLeases } from '../controllers/operator.ts'
import type { LeaseId } from '../etcd/kv.ts'
import { createLeaseKeeper } from '../etcd/lease-keeper.ts'
import { createKubeClient } from '../kube/client.ts'
import { serveHealth } from '../runtime/http.ts'
import { version } from '../version.ts'
import { connectTo } from './connect.ts'

const help = `Publishes GrpcServices and GrpcEndpoints of a Kubernetes cluster into etcd.

Usage: grpc-etcd operator [--setting value]...

Every setting is a flag, an environment variable (--etcd-endpoints is
GRPC_ETCD_ETCD_ENDPOINTS) and a key of the file given by --config
(etcdEndpoints). A flag beats a variable, a variable beats the file.

${describeSettings()}
`

/** Runs until SIGTERM or SIGINT. Rejects with ConfigError before anything was started, with others when it can not go on. */
export async function operator(argv: readonly string[]): Promise<void> {
  if (asksForHelp(operatorCommand, argv)) {
    process.stdout.write(help)
    return
  }
  const config = loadConfig(argv, process.env)
  const log = createLogger(config)
  log.info({ version, node: process.versions.node }, 'grpc-etcd')
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      log.info({ signal: name }, 'stopping: endpoints stay, leases run on')
      stop.abort()
    })
  }
  const kube = createKubeClient({
    ...(config.kubeconfig === undefined ? {} : { kubeconfig: config.kubeconfig }),
    ...(config.context === undefined ? {} : { context: config.context }),
  })
  const connection = connectTo(config, log.child({ component: 'etcd' }))
  try {
    const etcd = connection.client
    const keepLeases = (onLost: (id: LeaseId) => void): ServiceLeases => ({
      ...createLeaseKeeper({ client: etcd, onLost, log }),
      seen: () => undefined,
    })
    await runOperator({ config, kube, etcd, keepLeases, serveHealth, log }, stop.signal)
  } finally {
    connection.close()
    await kube.close()
  }
}

function createLogger(config: Config): Logger {
  const asText = config.logFormat === 'pretty' || (config.logFormat === 'auto' && process.stdout.isTTY)
  const options = { level: config.logLevel, base: null }
  return asText
    ? pino(options, pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }))
    : pino(options, destination({ sync: true }))
}
