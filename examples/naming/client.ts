/** A gRPC client that finds its servers in etcd and spreads its calls over them: `node client.ts`, until Ctrl-C. */
import { setTimeout as sleep } from 'node:timers/promises'

import { credentials } from '@grpc/grpc-js'
import { registerEtcdResolver } from 'grpc-etcd-operator/naming'

import { etcdOptions } from './etcd-options.ts'
import { GreeterClient } from './greeter.ts'

// Once in a process, before its first client: from here on every `etcd:///…` is looked up in this etcd.
registerEtcdResolver(etcdOptions(), { loadBalancing: 'round_robin' })

const client = new GreeterClient('etcd:///demo/greeter', credentials.createInsecure())

for (;;) {
  try {
    console.log(await client.sayHello('world'))
  } catch (error) {
    console.log(String(error))
  }
  await sleep(250)
}
