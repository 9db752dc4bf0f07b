/** A real grpc-js server that answers every call with its own address, and knows who called it. */
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { MethodDefinition, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js'

export interface AnswererOptions {
  /** Default `127.0.0.1:0`: a free port. */
  readonly listen?: string
  readonly credentials?: ServerCredentials
}

export interface Answerer {
  /** As it is published: `127.0.0.1:port`, or what was given. */
  readonly addr: string
  readonly calls: number
  /** Connections that calls came by. */
  readonly connections: number
  /** Every `:authority` that was seen. */
  readonly authorities: ReadonlySet<string>
  /** Refuses new calls and ends when the last one is answered. */
  stop(): Promise<void>
}

const fromText = (text: string): Buffer => Buffer.from(text)
const toText = (bytes: Buffer): string => bytes.toString()

/** Asks a server for its address. */
export const WHO: MethodDefinition<string, string> = {
  path: '/test.Answerer/Who',
  requestStream: false,
  responseStream: false,
  requestSerialize: fromText,
  requestDeserialize: toText,
  responseSerialize: fromText,
  responseDeserialize: toText,
}

export async function startAnswerer(options: AnswererOptions = {}): Promise<Answerer> {
  const { listen = '127.0.0.1:0', credentials = ServerCredentials.createInsecure() } = options
  const server = new Server()
  const peers = new Set<string>()
  const authorities = new Set<string>()
  let addr = listen
  let calls = 0
  server.addService(
    { who: WHO },
    {
      who(call: ServerUnaryCall<string, string>, reply: sendUnaryData<string>) {
        calls += 1
        peers.add(call.getPeer())
        authorities.add(call.getHost())
        reply(null, addr)
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
  if (listen.endsWith(':0')) addr = listen.replace(/0$/, String(port))
  return {
    addr,
    get calls() {
      return calls
    },
    get connections() {
      return peers.size
    },
    authorities,
    async stop() {
      const late = setTimeout(() => {
        server.forceShutdown()
      }, 1_000)
      await new Promise<void>((resolve) => {
        server.tryShutdown(() => resolve())
      })
      clearTimeout(late)
    },
  }
}
