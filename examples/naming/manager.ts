/** Endpoints written by hand, for servers that can not announce themselves: `node manager.ts`. */
import { endpointKey, EndpointManager } from 'grpc-etcd-operator/naming'

import { etcdOptions } from './etcd-options.ts'

const target = 'demo/ledger'
const manager = new EndpointManager(etcdOptions(), target)

const blue = { addr: '10.0.0.7:50051' }
const green = { addr: '10.0.0.8:50051', metadata: 'zone b' }

await manager.addEndpoint(endpointKey(target, blue.addr), blue)
console.log('added', await addresses())

// One transaction, one revision: no client ever sees both of them, or neither.
const { revision } = await manager.update([
  { op: 'delete', key: endpointKey(target, blue.addr) },
  { op: 'add', key: endpointKey(target, green.addr), endpoint: green },
])
console.log('replaced at revision', revision, await addresses())

await manager.deleteEndpoint(endpointKey(target, green.addr))
console.log('deleted', await addresses())

manager.close()

async function addresses(): Promise<string[]> {
  const endpoints = await manager.list()
  return [...endpoints.values()].map(({ addr, metadata }) => `${addr} ${JSON.stringify(metadata)}`)
}
