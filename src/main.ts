/** grpc-etcd: from the command line to a subcommand, and from an error to what a person reads and an exit code. */
import { ConfigError, describeError } from './errors.ts'

const OLDEST_NODE = 24

const help = `grpc-etcd: gRPC services in etcd, as etcd's own gRPC naming has them.

Usage: grpc-etcd <command> [options]

Commands:
  operator   run the Kubernetes operator (grpc-etcd operator --help)
  version    print the version
`

async function main(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv
  switch (command) {
    case 'operator': {
      const { operator } = await import('./cli/operator.ts')
      await operator(rest)
      return 0
    }
    case 'version':
    case '--version': {
      const { version } = await import('./version.ts')
      process.stdout.write(`grpc-etcd ${version}\n`)
      return 0
    }
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(help)
      return 0
    case undefined:
      process.stderr.write(help)
      return 2
    default:
      process.stderr.write(`grpc-etcd: there is no command "${command}"; see grpc-etcd --help\n`)
      return 2
  }
}

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

function describeStack(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined
}
