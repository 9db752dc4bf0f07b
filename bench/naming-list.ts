/**
 * Lists a target `--times` times by the built library, and prints how long each took and how many endpoints it found: `[durationMs, count]`.
 * A child process of the bench.
 */
import { parseArgs } from 'node:util'

import { EndpointManager } from 'grpc-etcd-operator/naming'

const { values } = parseArgs({
  options: { etcd: { type: 'string' }, target: { type: 'string' }, times: { type: 'string' } },
})
const manager = new EndpointManager({ hosts: values.etcd ?? '' }, values.target ?? '')
console.log('ready')
for (let call = 0; call < Number(values.times); call++) {
  const startedAt = performance.now()
  const { size } = await manager.list()
  console.log(JSON.stringify([performance.now() - startedAt, size]))
}
process.exit(0)
