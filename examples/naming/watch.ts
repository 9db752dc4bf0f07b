/** What comes and goes under a target, as it happens: `node watch.ts demo/greeter`, until Ctrl-C. */
import { EndpointManager } from 'grpc-etcd-operator/naming'

import { etcdOptions } from './etcd-options.ts'

const manager = new EndpointManager(etcdOptions(), process.argv[2] ?? 'demo/greeter')

const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
process.once('SIGTERM', () => stop.abort())

// The first item is the whole set; each later one is what one revision of etcd changed.
for await (const { revision, updates } of manager.watch(stop.signal)) {
  console.log('revision', revision, updates.length === 0 ? 'no endpoints' : '')
  for (const update of updates) {
    if (update.op === 'add') console.log(' +', update.key, JSON.stringify(update.endpoint.metadata))
    else console.log(' -', update.key)
  }
}

manager.close()
