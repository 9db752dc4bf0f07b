/** `grpc-etcd operator`: from the command line to a running operator, and to the exit code. */
import { destination, pino, type Logger } from 'pino'
import pretty from 'pino-pretty'
import { describeSettings, loadConfig, type Config } from '../config.ts'
import { runOperator } from '../controllers/operator.ts'
import { createEtcdClient } from '../etcd/client.ts'
import { createKubeClient } from '../kube/client.ts'
import { version } from '../version.ts'

const help = `Publishes GrpcServices and GrpcEndpoints of a Kubernetes cluster into etcd.

Usage: grpc-etcd operator [--setting value]...

Every setting is a flag, an environment variable (--etcd-endpoints is GRPC_ETCD_ETCD_ENDPOINTS) and a key of the
file given by --config (etcdEndpoints). A flag beats a variable, a variable beats the file.

${describeSettings()}
`

/** Runs until SIGTERM or SIGINT. Rejects with ConfigError before anything was started, with others when it can not go on. */
export async function operator(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help') || argv.includes('-h')) {
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
  const etcd = createEtcdClient({
    endpoints: config.etcdEndpoints,
    caFile: config.etcdCaFile,
    certFile: config.etcdCertFile,
    keyFile: config.etcdKeyFile,
    serverName: config.etcdServerName,
    username: config.etcdUsername,
    passwordFile: config.etcdPasswordFile,
    requestTimeoutMs: config.etcdRequestTimeoutSeconds * 1000,
    log: log.child({ component: 'etcd' }),
  })
  try {
    await runOperator({ config, kube, etcd, log }, stop.signal)
  } finally {
    etcd.close()
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
