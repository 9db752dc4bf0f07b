/**
 * The Go programs of test/interop/go as functions: what a stock client of etcd's naming sees of our work. They are built on the
 * official packages alone, once with those of etcd 3.5 and once with 3.7.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { z } from 'zod'

import { supervise, untilReady, type SupervisedProcess } from '../../dev/supervised-process.ts'
import { findTool } from '../../dev/tools/find.ts'

/** Of go.etcd.io/etcd/client/v3. */
export type GoClientVersion = '3.5' | '3.7'

export interface GoClientOptions {
  /** Default `3.7`. */
  readonly version?: GoClientVersion
  /** Of etcd, e.g. `http://127.0.0.1:2379`. */
  readonly endpoint: string
  /** What follows `etcd:///`. */
  readonly target: string
}

const entrySchema = z.object({ key: z.string(), addr: z.string(), metadata: z.unknown() })
const callSchema = z.object({
  /** When the call began, milliseconds since 1970. */
  atMs: z.number(),
  durationMs: z.number(),
  /** `host:port` that answered; empty when the call failed. */
  peer: z.string(),
  error: z.string().optional(),
})
const messageSchema = z.object({
  /** When the message arrived, milliseconds since 1970. */
  atMs: z.number(),
  updates: z.array(entrySchema.extend({ op: z.enum(['add', 'delete']) })),
})

export type GoEntry = z.infer<typeof entrySchema>
/** One RPC of the client. */
export type GoCall = z.infer<typeof callSchema>
/** One message of Go's watch channel: the updates of one revision. */
export type GoMessage = z.infer<typeof messageSchema>

export interface GoClientStats {
  readonly calls: number
  readonly failed: number
  /** Answered calls by peer address. */
  readonly byPeer: ReadonlyMap<string, number>
  readonly errors: readonly GoCall[]
}

export interface GoProgram {
  /** Lets calls under way finish. Rejects when the program had ended by itself. */
  readonly stop: () => Promise<void>
}

export interface GoClient extends GoProgram {
  /** Called for each call as it ends, in that order. */
  readonly onCall: (listener: (call: GoCall) => void) => void
  readonly stats: () => GoClientStats
}

export interface GoWatch extends GoProgram {
  /** Everything received so far. */
  readonly messages: readonly GoMessage[]
}

/** Dials `etcd:///target` with etcd's own resolver and round_robin and calls the health service, without retries, until stopped. */
export async function startGoClient(
  options: GoClientOptions & { readonly callsPerSecond?: number },
): Promise<GoClient> {
  const listeners: ((call: GoCall) => void)[] = []
  const byPeer = new Map<string, number>()
  const errors: GoCall[] = []
  let calls = 0
  const flags = [`-rate=${options.callsPerSecond ?? 10}`, `-endpoint=${options.endpoint}`]
  const program = await startProgram(options.version, ['dial', ...flags, options.target], (line) => {
    const call = callSchema.parse(JSON.parse(line))
    calls += 1
    if (call.error === undefined) byPeer.set(call.peer, (byPeer.get(call.peer) ?? 0) + 1)
    else errors.push(call)
    for (const listener of listeners) listener(call)
  })
  return {
    stop: program.stop,
    onCall: (listener) => void listeners.push(listener),
    stats: () => ({ calls, failed: errors.length, byPeer: new Map(byPeer), errors: [...errors] }),
  }
}

/** What Go's `Manager.List` returns, by key. Rejects with Go's words when it fails. */
export async function goList(options: GoClientOptions): Promise<readonly GoEntry[]> {
  let found: readonly GoEntry[] = []
  const args = ['list', `-endpoint=${options.endpoint}`, options.target]
  const program = await startProgram(options.version, args, (line) => {
    found = z.object({ endpoints: z.array(entrySchema) }).parse(JSON.parse(line)).endpoints
  })
  await program.finished()
  return found
}

/** Follows a target with Go's `Manager.NewWatchChannel`. The first message is the whole set. */
export async function startGoWatch(options: GoClientOptions): Promise<GoWatch> {
  const messages: GoMessage[] = []
  const args = ['watch', `-endpoint=${options.endpoint}`, options.target]
  const program = await startProgram(options.version, args, (line) => {
    messages.push(messageSchema.parse(JSON.parse(line)))
  })
  return { stop: program.stop, messages }
}

/** A gRPC server with the standard health service on every address of this machine, 127.x.y.z included. Resolves when it listens. */
export async function startGoServer(options: { readonly port: number }): Promise<GoProgram> {
  let listening = false
  const program = await startProgram('3.7', ['serve', `0.0.0.0:${options.port}`], () => {
    listening = true
  })
  try {
    await untilReady(program.child, async () => listening)
  } catch (error) {
    program.remove()
    throw error
  }
  return { stop: program.stop }
}

interface RunningProgram extends GoProgram {
  readonly child: SupervisedProcess
  /** Resolves when the program has ended well by itself. */
  readonly finished: () => Promise<void>
  readonly remove: () => void
}

async function startProgram(
  version: GoClientVersion | undefined,
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<RunningProgram> {
  const command = await findTool(`go-client-${version ?? '3.7'}`)
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-go-client-'))
  const child = supervise({ command, args, onLine, logFile: join(state, 'log'), removeOnLoss: state })
  const remove = (): void => rmSync(state, { recursive: true, force: true })
  const finished = async (): Promise<void> => {
    const { code } = await child.exited()
    const log = await child.logTail()
    remove()
    if (code !== 0) throw new Error(`go-client ${args[0] ?? ''} ended with code ${code}: ${log}`)
  }
  return {
    child,
    finished,
    remove,
    async stop() {
      child.signal('SIGTERM')
      await finished()
    },
  }
}
