/** A gRPC server that announces itself in etcd, and leaves without a failed call: `node server.ts 127.0.0.1:50051`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

import { Server, ServerCredentials } from '@grpc/grpc-js'
import { register } from 'grpc-etcd-operator/naming'

import { etcdOptions } from './etcd-options.ts'
import { greeterService, type GreeterServer } from './greeter.ts'

// What clients dial: an address that they can reach, so never 0.0.0.0.
const address = process.argv[2] ?? '127.0.0.1:50051'

const greeter: GreeterServer = {
  sayHello: (call, callback) => callback(null, `hello ${call.request}, from ${address}`),
}

const server = new Server()
server.addService(greeterService, greeter)
await promisify(server.bindAsync.bind(server))(address, ServerCredentials.createInsecure())

// Only now, when calls can be answered. Without the signal it would wait, and say nothing, for as long as etcd can not be reached.
const giveUp = AbortSignal.timeout(30_000)
const registration = await register(etcdOptions(), 'demo/greeter', { addr: address }, { ttlSeconds: 10 }, giveUp)
console.log('registered', registration.key)
registration.on('state', (state) => console.log(state.kind))

process.once('SIGTERM', () => void stop())
process.once('SIGINT', () => void stop())

async function stop(): Promise<void> {
  await registration.close() // 1. The address is gone from etcd; clients drop it within milliseconds.
  await sleep(1_000) // 2. What a client sends before it has heard of that is still answered.
  await promisify(server.tryShutdown.bind(server))() // 3. Calls that run may end.
  console.log('stopped')
}
