/**
 * The Go programs of test/interop/go as functions: what a stock client of etcd's naming sees of our work. They are built on the
 * official packages alone, once with those of etcd 3.5 and once with 3.7.
 */
import { z } from 'zod'
import { untilReady } from '../../dev/supervised-process.ts'
import { eventually } from './eventually.ts'
import { startAnswerer, startProgram, type GoClientVersion, type GoProgram } from './go-program.ts'

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

const updateSchema = z.union([z.object({ ok: z.literal(true) }), z.object({ error: z.string() })])
const resolutionSchema = z.union([
  z.object({ atMs: z.number(), addresses: z.array(z.string()) }),
  z.object({ rssBytes: z.number() }),
])
const timingSchema = z.object({ durationMs: z.number(), endpoints: z.number() })

export type { GoClientVersion, GoProgram } from './go-program.ts'
export type GoEntry = z.infer<typeof entrySchema>
/** One RPC of the client. */
export type GoCall = z.infer<typeof callSchema>
/** One message of Go's watch channel: the updates of one revision. */
export type GoMessage = z.infer<typeof messageSchema>
/** A list of addresses at the moment when the connection was given it. */
export type GoResolution = Extract<z.infer<typeof resolutionSchema>, { readonly addresses: readonly string[] }>

export interface GoClientStats {
  readonly calls: number
  readonly failed: number
  /** Answered calls by peer address. */
  readonly byPeer: ReadonlyMap<string, number>
  readonly errors: readonly GoCall[]
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

export interface GoResolverOptions extends GoClientOptions {
  /** Default `round_robin`. */
  readonly policy?: 'pick_first' | 'round_robin'
}

export interface GoDialOptions extends GoResolverOptions {
  /** Default 10. */
  readonly callsPerSecond?: number
}

/** Dials `etcd:///target` with etcd's own resolver and calls the health service, without retries, until stopped. */
export async function startGoClient(options: GoDialOptions): Promise<GoClient> {
  const listeners: ((call: GoCall) => void)[] = []
  const byPeer = new Map<string, number>()
  const errors: GoCall[] = []
  let calls = 0
  const { endpoint, callsPerSecond = 10, policy = 'round_robin' } = options
  const flags = [`-endpoint=${endpoint}`, `-rate=${callsPerSecond}`, `-policy=${policy}`]
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

/** An update as Go's Manager takes it; any other `op` is one that it refuses. */
export interface GoUpdate {
  readonly op: string
  readonly key: string
  readonly addr?: string
  readonly metadata?: unknown
}

export interface GoWriter extends GoProgram {
  /** One `Manager.Update`. Rejects with Go's words when it fails. */
  readonly update: (updates: readonly GoUpdate[]) => Promise<void>
}

/** Writes to a target with Go's Manager. */
export async function startGoWriter(options: GoClientOptions): Promise<GoWriter> {
  const program = await startAnswerer(options.version, ['update', `-endpoint=${options.endpoint}`, options.target])
  return {
    stop: program.stop,
    async update(updates) {
      const answer = updateSchema.parse(JSON.parse(await program.ask(JSON.stringify(updates))))
      if ('error' in answer) throw new Error(answer.error)
    },
  }
}

export interface GoResolver extends GoProgram {
  /** Every list of addresses that the connection was given so far, sorted, with the time (ms since 1970, to the microsecond). */
  readonly updates: readonly GoResolution[]
  /** The program's resident memory after a garbage collection. Linux only; not before the first update. */
  readonly residentBytes: () => Promise<number>
}

/** Dials `etcd:///target` with etcd's own resolver; round_robin connects to every address. */
export async function startGoResolver(options: GoResolverOptions): Promise<GoResolver> {
  const updates: GoResolution[] = []
  const sizes: number[] = []
  const { endpoint, policy = 'round_robin' } = options
  const args = ['resolve', `-endpoint=${endpoint}`, `-policy=${policy}`, options.target]
  const program = await startProgram(options.version, args, (line) => {
    const said = resolutionSchema.parse(JSON.parse(line))
    if ('rssBytes' in said) sizes.push(said.rssBytes)
    else updates.push(said)
  })
  return {
    stop: program.stop,
    updates,
    async residentBytes() {
      if (updates.length === 0) throw new Error('it may not listen to signals yet: wait for the first update')
      const before = sizes.length
      program.child.signal('SIGUSR1')
      return eventually('the Go resolver tells its size', () => sizes[before])
    },
  }
}

export interface GoListTiming {
  readonly durationMs: number
  /** How many were listed. */
  readonly endpoints: number
}

/** How long each of `times` calls of Go's `Manager.List` took, one after the other on one connection. */
export async function goListTimings(
  options: GoClientOptions & { readonly times: number },
): Promise<readonly GoListTiming[]> {
  const timings: GoListTiming[] = []
  const args = ['listbench', `-endpoint=${options.endpoint}`, `-n=${options.times}`, options.target]
  const program = await startProgram(options.version, args, (line) => {
    timings.push(timingSchema.parse(JSON.parse(line)))
  })
  await program.finished()
  return timings
}
