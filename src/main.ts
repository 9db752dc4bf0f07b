/** grpc-etcd: from the command line to a subcommand, and from an error to what a person reads and an exit code. */
import { isMainThread } from 'node:worker_threads'
import { ConfigError, describeError } from './errors.ts'

const OLDEST_NODE = 24

const help = `grpc-etcd: gRPC services in etcd, as etcd's own gRPC naming has them.

Usage: grpc-etcd <command> [flags]

Commands:
  list       show the endpoints of a target
  watch      show the endpoints of a target, then every change
  put        add an endpoint to a target, or replace it
  delete     take an endpoint away from a target
  operator   run the Kubernetes operator
  version    print the version

grpc-etcd <command> --help tells more.
Exit codes: 0 done, 1 failed, 2 wrong usage or settings.
`

/** Loaded when they are asked for: nobody who lists endpoints waits for Kubernetes' client. */
const commands: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  list: async (argv) => (await import('./cli/list.ts')).list(argv),
  watch: async (argv) => (await import('./cli/watch.ts')).watch(argv),
  put: async (argv) => (await import('./cli/put.ts')).put(argv),
  delete: async (argv) => (await import('./cli/delete.ts')).deleteEndpoint(argv),
  async operator(argv) {
    await (await import('./cli/operator.ts')).operator(argv, new URL(import.meta.url))
    return 0
  },
  async version() {
    const { version } = await import('./version.ts')
    process.stdout.write(`grpc-etcd ${version}\n`)
    return 0
  },
  async help([topic]) {
    if (topic !== undefined && !topic.startsWith('-')) return main([topic, '--help'])
    process.stdout.write(help)
    return 0
  },
}

const OPTIONS: Readonly<Record<string, string>> = { '--help': 'help', '-h': 'help', '--version': 'version' }

async function main(argv: readonly string[]): Promise<number> {
  const [given, ...rest] = argv
  if (given === undefined) {
    process.stderr.write(help)
    return 2
  }
  const name = OPTIONS[given] ?? given
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command !== undefined) return command(rest)
  const { hint } = await import('./config/did-you-mean.ts')
  const seeHelp = hint(given, Object.keys(commands), 'grpc-etcd --help')
  process.stderr.write(`grpc-etcd: there is no command "${given}"${seeHelp}\n`)
  return 2
}

if (isMainThread) await runProgram()
// `operator` has started this file a second time, as its renewal thread.
else (await import('./cli/renewal.ts')).renewal()

async function runProgram(): Promise<void> {
  const node = Number(process.versions.node.split('.')[0])
  if (node < OLDEST_NODE) {
    process.stderr.write(`grpc-etcd needs Node.js ${OLDEST_NODE} or newer, this is ${process.versions.node}\n`)
    process.exit(2)
  }
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(
      `grpc-etcd: ${error instanceof ConfigError ? error.message : (describeStack(error) ?? describeError(error))}\n`,
    )
    process.exitCode = error instanceof ConfigError ? 2 : 1
  }
}

/** Where it happened, and where what it was caused by happened. */
function describeStack(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { stack, cause } = error
  return cause === undefined ? stack : `${stack}\ncaused by: ${describeStack(cause) ?? describeError(cause)}`
}
