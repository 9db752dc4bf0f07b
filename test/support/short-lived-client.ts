/**
 * A program that uses the naming library, cleans up as its second argument says, and then has to end by itself: whatever keeps it alive is
 * a leak. Arguments: where etcd is, and one of the cases below. Prints what it got from the target `svc`.
 */
import { EndpointManager, EtcdConnection, registerEtcdResolver } from '../../src/naming/index.ts'
import { createCaller } from './caller.ts'

const [hosts = '', mode = ''] = process.argv.slice(2)
/** After the resolver was registered: grpc-js asks for it when the channel is made. */
const dial = () => createCaller('etcd:///svc')
const report = (answer: Promise<unknown>): Promise<void> =>
  answer.then(
    (value) => console.log(`ok ${String(value)}`),
    (error: Error) => console.log(`error ${error.message}`),
  )

switch (mode) {
  case 'closes the client only': {
    registerEtcdResolver({ hosts })
    const caller = dial()
    await report(caller.call())
    caller.close()
    break
  }
  case 'closes the resolver only': {
    const resolver = registerEtcdResolver({ hosts })
    const caller = dial()
    await report(caller.call())
    resolver.close()
    await report(caller.call())
    break
  }
  case 'closes the shared connection only': {
    const connection = new EtcdConnection({ hosts })
    registerEtcdResolver(connection)
    const caller = dial()
    const manager = new EndpointManager(connection, 'svc')
    const watch = manager.watch()
    await watch.next()
    await report(caller.call())
    connection.close()
    await report(watch.next().then(({ done }) => done))
    break
  }
  case 'breaks a watch and closes nothing': {
    const manager = new EndpointManager({ hosts }, 'svc')
    for await (const { updates } of manager.watch()) {
      await report(Promise.resolve(updates.length))
      break
    }
    await report(manager.list().then(({ size }) => size))
    break
  }
  case 'gives up while etcd is silent': {
    const resolver = registerEtcdResolver({ hosts })
    const caller = dial()
    await report(caller.call(300))
    caller.close()
    resolver.close()
    break
  }
  default:
    throw new Error(`unknown mode ${mode}`)
}
console.log('done')
