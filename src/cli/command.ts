/**
 * The frame of every command that works on the endpoints of a target: help, settings, the connection to the first etcd endpoint that can
 * be reached, errors in words, and the exit code.
 */
import { writeSync } from 'node:fs'
import type { z } from 'zod'
import { settingNames } from '../config.ts'
import { asksForHelp } from '../config/command-line.ts'
import type { Command } from '../config/command-line.ts'
import { describeFlags, loadSettings } from '../config/settings.ts'
import { wrap } from '../config/wrap.ts'
import { TimeoutError, UnavailableError } from '../errors.ts'
import type { EtcdConnection } from '../naming/connection.ts'
import type { Log } from '../runtime/log.ts'
import { silentLog } from '../runtime/log.ts'
import type { commonShape } from './arguments.ts'
import { connectTo } from './connect.ts'
import { explain } from './explain.ts'
import { createPaint, hasColour } from './terminal.ts'
import type { Paint } from './terminal.ts'

export const EXIT_CODES = `Exit codes: 0 done, 1 failed, 2 wrong usage or settings.`

export interface EndpointCommand<Schema extends z.ZodObject<typeof commonShape>> extends Command<Schema> {
  /** What it does, in a sentence or two. */
  readonly summary: string
  /** What the places are, a line each. */
  readonly placesHelp: string
  /** Shown by --help. */
  readonly examples: readonly string[]
  /** What a user of etcd needs to be allowed. */
  readonly needs: 'read' | 'readwrite'
  /** @returns the exit code */
  run(call: Call<z.output<Schema>>): Promise<number>
  /** What the connection logs, where a person wants to see it. */
  createLog?(say: Say): Log
}

export type Say = (text: string) => void

export interface Call<Values> {
  readonly values: Values
  readonly connection: EtcdConnection
  readonly paint: Paint
  /** A line of the result, on standard output. */
  readonly print: Say
  /** A line beside the result, on standard error. */
  readonly say: Say
}

/** @throws ConfigError for wrong usage and settings */
export async function runCommand<Schema extends z.ZodObject<typeof commonShape>>(
  command: EndpointCommand<Schema>,
  argv: readonly string[],
): Promise<number> {
  if (asksForHelp(command, argv)) {
    process.stdout.write(helpOf(command))
    return 0
  }
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endOnBrokenOutput)
  const values = loadSettings({ ...command, others: settingNames }, argv, process.env)
  const call = {
    values,
    paint: createPaint(hasColour(process.stdout)),
    print: (text: string) => void process.stdout.write(`${text}\n`),
    say: (text: string) => void process.stderr.write(`${text}\n`),
  }
  const { target, etcdEndpoints } = values
  const failures: string[] = []
  for (const [index] of etcdEndpoints.entries()) {
    const hosts = [...etcdEndpoints.slice(index), ...etcdEndpoints.slice(0, index)]
    const connection = connectTo(values, command.createLog?.(call.say) ?? silentLog, hosts)
    try {
      return await command.run({ ...call, connection })
    } catch (error) {
      const failure = explain(error, { target, needs: command.needs, settings: values })
      if (failure === undefined) throw error
      failures.push(failure)
      if (!isWorthAnother(error, command.needs)) break
    } finally {
      connection.close()
    }
  }
  for (const failure of new Set(failures)) call.say(`grpc-etcd ${command.name}: ${failure}`)
  return 1
}

/** Nothing was changed, and another endpoint may answer. */
function isWorthAnother(error: unknown, needs: 'read' | 'readwrite'): boolean {
  return error instanceof UnavailableError || (error instanceof TimeoutError && needs === 'read')
}

function helpOf(command: EndpointCommand<z.ZodObject<typeof commonShape>>): string {
  const { name, places = [], examples } = command
  return `${wrap(command.summary)}

Usage: grpc-etcd ${[name, ...places.map((each) => each.toUpperCase())].join(' ')} [flags]

${command.placesHelp}

${describeFlags(command)}

Every setting below --config is a flag, an environment variable
(--etcd-endpoints is GRPC_ETCD_ETCD_ENDPOINTS) and a key of the file; a flag
beats a variable, a variable beats the file. The file of the operator will do.

Examples:
${examples.map((example) => `  ${example}`).join('\n')}

${EXIT_CODES}
`
}

/** `| head` has seen enough: no news for anybody. Other broken outputs are. */
function endOnBrokenOutput(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0)
  // Not through the stream, which may be the broken one.
  writeSync(2, `grpc-etcd: can not write: ${error.message}\n`)
  process.exit(1)
}
