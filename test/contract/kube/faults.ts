/** The ways in which the reflector's tests break a list or a watch, and the reason that it should give for its pause. */
import type { Fault, LineSink } from '../../support/http-fault-proxy.ts'

function status(code: number, reason: string): unknown {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'made by the test', reason, code }
}

export function answer(code: number, reason: string, headers: Readonly<Record<string, string>> = {}): Fault {
  return { kind: 'answer', status: code, headers, body: status(code, reason) }
}

/** Passes all lines until the one that tells of the object, and leaves that one to the test. */
function atObject(name: string, then: (line: string, to: LineSink) => void): Fault {
  return {
    kind: 'lines',
    edit: (line, _, to) => (line.includes(`"name":"${name}"`) ? then(line, to) : to.write(`${line}\n`)),
  }
}

/** What happens to the watch when it comes to an object created after the start; all of them resume or relist by themselves. */
export const BROKEN_STREAMS: readonly { readonly name: string; readonly reason: string; readonly fault: Fault }[] = [
  {
    name: 'cut in the middle of a line',
    reason: 'unreachable',
    fault: atObject('new', (line, to) => {
      to.write(line.slice(0, line.length / 2))
      to.cut()
    }),
  },
  {
    name: 'cut between two lines',
    reason: 'unreachable',
    fault: atObject('new', (line, to) => {
      to.write(`${line}\n`)
      to.cut()
    }),
  },
  {
    name: 'ended in good order in the middle of a line',
    reason: 'ended',
    fault: atObject('new', (line, to) => {
      to.write(line.slice(0, -1))
      to.end()
    }),
  },
  { name: 'ended in good order', reason: 'ended', fault: atObject('new', (_, to) => to.end()) },
  {
    name: 'given a line that is truncated JSON',
    reason: 'undecodable',
    fault: atObject('new', (line, to) => to.write(`${line.slice(0, line.length / 2)}\n`)),
  },
  {
    name: 'given a line that is not UTF-8',
    reason: 'undecodable',
    fault: atObject('new', (line, to) => to.write(Buffer.from(`${line}\n`.replace('new', '\u00ff'), 'latin1'))),
  },
  {
    name: 'given an object without a uid',
    reason: 'undecodable',
    fault: atObject('new', (line, to) => to.write(`${line.replace('"uid"', '"diu"')}\n`)),
  },
  {
    name: 'given an event of an unknown type',
    reason: 'undecodable',
    fault: atObject('new', (line, to) => to.write(`${line.replace('"ADDED"', '"SURPRISE"')}\n`)),
  },
  {
    name: 'told by an event that its version is gone (410)',
    reason: 'expired',
    fault: atObject('new', (_, to) =>
      to.write(`${JSON.stringify({ type: 'ERROR', object: status(410, 'Expired') })}\n`),
    ),
  },
  {
    name: 'told by an event that the server failed',
    reason: 'overloaded',
    fault: atObject('new', (_, to) =>
      to.write(`${JSON.stringify({ type: 'ERROR', object: status(500, 'InternalError') })}\n`),
    ),
  },
  { name: 'frozen, half-open', reason: 'silent', fault: atObject('new', (_, to) => to.freeze()) },
]

/** What the first list or watch meets, twice each; the store gets ready after it, with everything, and not before. */
export const REFUSALS: readonly { readonly reason: string; readonly fault: Fault }[] = [
  { reason: 'overloaded', fault: answer(500, 'InternalError') },
  { reason: 'overloaded', fault: answer(503, 'ServiceUnavailable') },
  { reason: 'forbidden', fault: answer(401, 'Unauthorized') },
  { reason: 'forbidden', fault: answer(403, 'Forbidden') },
  { reason: 'not-found', fault: answer(404, 'NotFound') },
  { reason: 'expired', fault: answer(410, 'Expired') },
  { reason: 'unreachable', fault: { kind: 'cut' } },
  { reason: 'silent', fault: { kind: 'silence' } },
]
