/**
 * What a large target costs an application, by the built library, as one line `{what: {rss, heap}}` in bytes after garbage collections:
 * `base` with an idle connection to etcd, `resolver` when the whole list was handed over, `channel` when a channel of grpc-js with
 * pick_first has it, too, and is connected. A child process of the bench.
 */
import { setFlagsFromString } from 'node:v8'
import { parseArgs, promisify } from 'node:util'
import { runInNewContext } from 'node:vm'

import { Client, credentials, experimental } from '@grpc/grpc-js'
import { EndpointManager, EtcdConnection, registerEtcdResolver } from 'grpc-etcd-operator/naming'

const { values } = parseArgs({ options: { etcd: { type: 'string' }, target: { type: 'string' } } })
setFlagsFromString('--expose-gc')
/** Gives back what it can, as Go's debug.FreeOSMemory does. */
const collect: NodeJS.GCFunction = runInNewContext('gc')

function weigh(): { readonly rss: number; readonly heap: number } {
  for (let round = 0; round < 3; round++) collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  const { rss, heapUsed } = process.memoryUsage()
  return { rss, heap: heapUsed }
}

const connection = new EtcdConnection({ hosts: values.etcd ?? '' })
await new EndpointManager(connection, 'bench/nothing').list()
console.log('ready')
const base = weigh()

registerEtcdResolver(connection)
const target = `etcd:///${values.target ?? ''}`
/** Kept, as a channel keeps it. */
let handed: unknown
await new Promise<void>((resolve) => {
  const uri = { scheme: 'etcd', authority: '', path: values.target ?? '' }
  const listener: experimental.ResolverListener = (endpoints) => {
    handed = endpoints
    resolve()
    return true
  }
  experimental.createResolver(uri, listener, {}).updateResolution()
})
const resolver = weigh()

const client = new Client(target, credentials.createInsecure())
await promisify(client.waitForReady.bind(client))(Date.now() + 10_000)
console.log(JSON.stringify({ base, resolver, channel: weigh() }))
process.exit(handed === undefined ? 1 : 0)
