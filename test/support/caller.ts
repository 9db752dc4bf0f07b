/** A real grpc-js channel that asks `answerer.ts` servers who they are: one call, many, or a load that goes on. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js'
import { WHO } from './answerer.ts'

export interface Caller {
  /** The address of who answered. @throws what grpc-js throws, with its `code` and `details` */
  call(deadlineMs?: number): Promise<string>
  /** `count` calls, at most 16 at once: how often each address answered. */
  spread(count: number): Promise<ReadonlyMap<string, number>>
  /** Calls one after the other, four at once, until it or the channel is ended. */
  load(): Load
  close(): void
}

export interface Load {
  readonly answered: number
  /** Of the last `count` answers the addresses. */
  latest(count: number): ReadonlySet<string>
  readonly failures: readonly Error[]
  stop(): Promise<void>
}

const PAUSE_MS = 2

export function createCaller(
  target: string,
  options: ChannelOptions = {},
  channelCredentials: ChannelCredentials = credentials.createInsecure(),
): Caller {
  const client = new Client(target, channelCredentials, options)
  const loads: Load[] = []

  function call(deadlineMs = 5_000): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const deadline = Date.now() + deadlineMs
    client.makeUnaryRequest(
      WHO.path,
      WHO.requestSerialize,
      WHO.responseDeserialize,
      'who?',
      new Metadata(),
      { deadline },
      (error, answer) => {
        if (error === null) resolve(answer ?? '')
        else reject(error)
      },
    )
    return promise
  }

  return {
    call,
    async spread(count) {
      const found = new Map<string, number>()
      for (let left = count; left > 0; left -= 16) {
        const answers = await Promise.all(Array.from({ length: Math.min(left, 16) }, () => call()))
        for (const addr of answers) found.set(addr, (found.get(addr) ?? 0) + 1)
      }
      return found
    },
    load() {
      const load = startLoad(call)
      loads.push(load)
      return load
    },
    close() {
      for (const load of loads) void load.stop()
      client.close()
    },
  }
}

function startLoad(call: () => Promise<string>): Load {
  const answers: string[] = []
  const failures: Error[] = []
  const stopping = new AbortController()

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        answers.push(await call())
      } catch (error) {
        failures.push(error instanceof Error ? error : new Error(String(error)))
      }
      await delay(PAUSE_MS)
    }
  }
  const workers = Promise.all(Array.from({ length: 4 }, work))

  return {
    get answered() {
      return answers.length
    },
    latest: (count) => new Set(answers.slice(-count)),
    failures,
    async stop() {
      stopping.abort()
      await workers
    },
  }
}
