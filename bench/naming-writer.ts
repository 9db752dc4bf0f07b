/**
 * Moves one endpoint of each target from address to address, in turns: `--changes` puts to the first target, then to the next, `--turns`
 * times. Prints a line for each when etcd has acknowledged it: `[turn, target, address, sentMs, acknowledgedMs]`. Neither of the clients
 * that are measured shares its process. A child process of the bench.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { Etcd3 } from 'etcd3'
import { encodeEndpoint, endpointKey } from 'grpc-etcd-operator/naming'

import { wallMs } from './clock.ts'
import { MOVING, movingAddress } from './naming-targets.ts'

const { values } = parseArgs({
  options: {
    etcd: { type: 'string' },
    target: { type: 'string', multiple: true, default: [] },
    port: { type: 'string' },
    turns: { type: 'string' },
    changes: { type: 'string' },
    'mean-gap-ms': { type: 'string' },
  },
})
const { kv } = new Etcd3({ hosts: values.etcd ?? '' })
const gapMs = Number(values['mean-gap-ms'])
let index = 0

async function move(turn: number, target: string): Promise<void> {
  const addr = movingAddress(index++, Number(values.port))
  const put = { key: Buffer.from(endpointKey(target, MOVING)), value: Buffer.from(encodeEndpoint({ addr })) }
  const sentMs = wallMs()
  await kv.put(put)
  console.log(JSON.stringify([turn, target, addr, sentMs, wallMs()]))
}

console.log('ready')
for (let turn = 0; turn < Number(values.turns); turn++) {
  // Who goes first changes, so that neither always follows the other.
  for (const target of turn % 2 === 0 ? values.target : values.target.toReversed()) {
    for (let change = 0; change < Number(values.changes); change++) {
      await Promise.all([move(turn, target), sleep(gapMs * (0.5 + Math.random()))])
    }
  }
}
process.exit(0)
