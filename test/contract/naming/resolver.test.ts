/** etcd's own tests of its resolver, by their names: real channels and servers of grpc-js, real etcd. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { registerEtcdResolver } from '../../../src/naming/index.ts'
import type { ResolverOptions } from '../../../src/naming/index.ts'
import { startAnswerer } from '../../support/answerer.ts'
import type { Answerer } from '../../support/answerer.ts'
import { createCaller } from '../../support/caller.ts'
import type { Caller } from '../../support/caller.ts'
import { describeEtcd } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { newManager, newTarget, optionsOf } from '../../support/naming-contract.ts'

const CALLS = 3_500

async function startServers(suite: EtcdSuite, count: number): Promise<readonly Answerer[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const server = await startAnswerer()
      suite.cleanUp(() => server.stop())
      return server
    }),
  )
}

/** A channel to the target, by a scheme of its own: grpc-js has one registry for the process. */
function dial(suite: EtcdSuite, target: string, options: ResolverOptions = {}): Caller {
  const scheme = `etcd-${suite.etcd.version}`
  const resolver = registerEtcdResolver(optionsOf(suite), { scheme, ...options })
  const caller = createCaller(`${scheme}:///${target}`)
  suite.cleanUp(() => {
    caller.close()
    resolver.close()
  })
  return caller
}

describeEtcd("etcd's own tests of the resolver", (suite) => {
  test('TestEtcdGrpcResolver: an endpoint is replaced and calls move', async () => {
    const manager = newManager(suite, newTarget(suite))
    const [one, two] = await startServers(suite, 2)
    assert.ok(one && two)
    await manager.addEndpoint(`${manager.target}/e1`, { addr: one.addr })
    const caller = dial(suite, manager.target)
    assert.equal(await caller.call(), one.addr)
    await manager.deleteEndpoint(`${manager.target}/e1`)
    await manager.addEndpoint(`${manager.target}/e2`, { addr: two.addr })
    await eventually('calls reach the other server', async () => (await caller.call().catch(() => '')) === two.addr)
    assert.deepEqual([...(await caller.spread(50))], [[two.addr, 50]])
  })

  test(`TestEtcdGrpcResolverPickFirst: ${CALLS} calls reach one server`, async () => {
    const manager = newManager(suite, newTarget(suite))
    const servers = await startServers(suite, 2)
    for (const [n, { addr }] of servers.entries()) await manager.addEndpoint(`${manager.target}/e${n}`, { addr })
    const spread = await dial(suite, manager.target).spread(CALLS)
    assert.deepEqual([...spread.values()], [CALLS])
  })

  test(`TestEtcdGrpcResolverRoundRobin: ${CALLS} calls reach both servers, 50 ± 5 % each`, async () => {
    const manager = newManager(suite, newTarget(suite))
    const servers = await startServers(suite, 2)
    await manager.update(
      servers.map(({ addr }) => ({ op: 'add', key: `${manager.target}/${addr}`, endpoint: { addr } })),
    )
    const caller = dial(suite, manager.target, { loadBalancing: 'round_robin' })
    // Until both connections stand, the first one gets all.
    await eventually('both are connected', async () => (await caller.spread(4)).size === 2)
    const spread = await caller.spread(CALLS)
    for (const { addr } of servers) {
      const share = (spread.get(addr) ?? 0) / CALLS
      assert.ok(share >= 0.45 && share <= 0.55, `${addr} got ${share * 100} %`)
    }
  })
})
