/**
 * The server at every address of the naming bench: it takes connections at all of 127.0.0.0/8, and prints, a line for each, when the
 * client had what it needs to make calls (it has acknowledged the server's HTTP/2 settings), and at which address: `[atMs, host]`.
 * It answers no calls. A child process of the bench.
 */
import { createServer } from 'node:http2'
import { parseArgs } from 'node:util'

import { wallMs } from './clock.ts'

const { values } = parseArgs({ options: { port: { type: 'string' } } })
const server = createServer()
server.on('session', (session) => {
  const host = session.socket.localAddress
  session.once('localSettings', () => console.log(JSON.stringify([wallMs(), host])))
  // Clients drop connections at any moment: their addresses go, and in the end they do.
  session.on('error', () => undefined)
})
server.listen(Number(values.port), '0.0.0.0', 16_384, () => console.log('ready'))
