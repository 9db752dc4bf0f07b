/** A TCP proxy on loopback that makes faults: what it holds back stays in the operating system's buffers, as on a real network. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'

export type Direction = 'to-server' | 'to-client' | 'both'

export interface TcpProxy {
  readonly port: number
  /** Connections open now. */
  readonly connections: number
  /** That clients have sent so far. */
  readonly bytesToServer: number
  /** Nothing passes any more in this direction; connections stay open. New ones are accepted and stall too. */
  pause(direction?: Direction): void
  resume(): void
  /** The connections of now are dead without a word; new ones work. */
  blackhole(): void
  /** Resets every connection; new ones are accepted. What was held back is lost. */
  cut(): void
  /** Resets every connection and refuses new ones until `accept`. */
  refuse(): void
  accept(): void
  close(): Promise<void>
}

interface Pair {
  dead: boolean
  readonly client: Socket
  readonly server: Socket
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let paused: Direction | null = null
  let refusing = false
  let bytesToServer = 0

  const apply = ({ client, server, dead }: Pair) => {
    const held = dead ? 'both' : paused
    if (held === 'to-server' || held === 'both') client.pause()
    else client.resume()
    if (held === 'to-client' || held === 'both') server.pause()
    else server.resume()
  }
  const cut = () => {
    for (const { client, server } of pairs) {
      reset(client)
      reset(server)
    }
    pairs.clear()
  }

  const listener = createServer((client) => {
    if (refusing) {
      client.resetAndDestroy()
      return
    }
    const server = connect(targetPort, '127.0.0.1')
    const pair: Pair = { client, server, dead: false }
    pairs.add(pair)
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk) => {
      bytesToServer += chunk.length
      server.write(chunk)
    })
    server.on('data', (chunk) => client.write(chunk))
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      // A reset is what this proxy is for.
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        pairs.delete(pair)
        other.destroy()
      })
    }
    apply(pair)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')

  return {
    port: address.port,
    get connections() {
      return pairs.size
    },
    get bytesToServer() {
      return bytesToServer
    },
    pause(direction = 'both') {
      paused = direction
      for (const pair of pairs) apply(pair)
    },
    resume() {
      paused = null
      for (const pair of pairs) apply(pair)
    },
    blackhole() {
      for (const pair of pairs) {
        pair.dead = true
        apply(pair)
      }
    },
    cut,
    refuse() {
      refusing = true
      cut()
    },
    accept() {
      refusing = false
    },
    async close() {
      cut()
      listener.close()
      await once(listener, 'close')
    },
  }
}

/** A socket that is just being ended is only closed: Node.js (26.10) loses its shutdown in a reset, and spins for ever when the process ends. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
