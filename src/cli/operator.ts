/** `grpc-etcd operator`: from the command line to a running operator, and to the exit code. */
import { asksForHelp } from '../config/command-line.ts'
import { describeSettings, loadConfig, operatorCommand } from '../config.ts'
import { runOperator, type ServiceLeases } from '../controllers/operator.ts'
import { InvariantError } from '../errors.ts'
import type { LeaseId } from '../etcd/kv.ts'
import { createRenewalThread } from '../etcd/renewal-thread.ts'
import { createKubeClient } from '../kube/client.ts'
import { serveHealth } from '../runtime/http.ts'
import { version } from '../version.ts'
import { connectTo } from './connect.ts'
import { createLogger } from './logger.ts'

const help = `Publishes GrpcServices and GrpcEndpoints of a Kubernetes cluster into etcd.

Usage: grpc-etcd operator [--setting value]...

Every setting is a flag, an environment variable (--etcd-endpoints is
GRPC_ETCD_ETCD_ENDPOINTS) and a key of the file given by --config
(etcdEndpoints). A flag beats a variable, a variable beats the file.

${describeSettings()}
`

/**
 * Runs until SIGTERM or SIGINT. Rejects with ConfigError before anything was started, with others when it can not go on.
 *
 * @param program the file that this process runs: the thread that renews leases runs it too
 */
export async function operator(argv: readonly string[], program: URL): Promise<void> {
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
    const keepLeases = (onLost: (id: LeaseId) => void): ServiceLeases =>
      // What is under way ends as on SIGTERM, so that another replica leads at once; then the process fails.
      createRenewalThread({ entry: program, settings: config, onLost, onFailed: (error) => stop.abort(error) })
    await runOperator({ config, kube, etcd, keepLeases, serveHealth, log }, stop.signal)
    if (stop.signal.reason instanceof InvariantError) throw stop.signal.reason
  } finally {
    connection.close()
    await kube.close()
  }
}
