/**
 * Ports for servers that are stopped and started again on the same port. They come from below the ephemeral range: while the
 * server is away, a port of that range may be taken as the source port of any connection, even of one to itself.
 */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

const FIRST = 20_000
const LAST = 29_999

/** A TCP port nobody listens on, on any address of this machine. Random, so that processes at work at once do not meet. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(FIRST, LAST + 1)
    if (await isFree(port)) return port
  }
  throw new Error(`no free TCP port between ${FIRST} and ${LAST}`)
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '0.0.0.0', () => probe.close(() => resolve(true)))
  })
}
