/** Calls under load: how they are spread, that none fails while endpoints are replaced, and what channels share. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { eventually } from '../../support/eventually.ts'
import { namingTest, publish, watchersOf, withdraw } from '../../support/naming-suite.ts'

const ROUNDS = 4

describe('load', { concurrency: 2 }, () => {
  namingTest(
    '3,500 calls over two servers are split 50 ± 5 % with round_robin, and not at all with pick_first',
    async (stage) => {
      const etcd = await stage.etcd()
      const connection = stage.connection({ hosts: etcd.endpoint })
      const servers = [await stage.server(), await stage.server()]
      await publish(stage.manager(connection, 'svc'), ...servers.map(({ addr }) => addr))
      const even = stage.resolver(connection, { loadBalancing: 'round_robin' }).dial('svc')
      await eventually('both answer', async () => (await even.spread(8)).size === 2)
      const spread = await even.spread(3_500)
      for (const count of spread.values()) assert.ok(Math.abs(count / 3_500 - 0.5) <= 0.05, `${count} of 3,500`)
      assert.equal(spread.size, 2)
      assert.equal((await stage.resolver(connection).dial('svc').spread(1_000)).size, 1)
      const config = { loadBalancingConfig: [{ round_robin: {} }] }
      const asked = stage.resolver(connection).dial('svc', { 'grpc.service_config': JSON.stringify(config) })
      await eventually('the channel’s own service config holds', async () => (await asked.spread(20)).size === 2)
    },
  )

  for (const loadBalancing of [undefined, 'round_robin'] as const) {
    namingTest(
      `no call fails while all endpoints are replaced, again and again (${loadBalancing ?? 'pick_first'})`,
      async (stage) => {
        const etcd = await stage.etcd()
        const connection = stage.connection({ hosts: etcd.endpoint })
        const manager = stage.manager(connection, 'svc')
        let old = [await stage.server(), await stage.server()]
        await publish(manager, ...old.map(({ addr }) => addr))
        const caller = stage.resolver(connection, { loadBalancing }).dial('svc')
        await caller.call()
        const load = caller.load()
        for (let round = 0; round < ROUNDS; round++) {
          const next = [await stage.server(), await stage.server()]
          const gone = old.map(({ addr }) => addr)
          await publish(manager, ...next.map(({ addr }) => addr))
          await withdraw(manager, ...gone)
          // As a server leaves: out of etcd first, stopped when nobody calls it any more.
          await eventually('nobody calls the old ones', () => load.latest(30).isDisjointFrom(new Set(gone)))
          await Promise.all(old.map((server) => server.stop()))
          old = next
        }
        await load.stop()
        assert.deepEqual(load.failures, [])
        assert.ok(load.answered > 100)
      },
    )
  }

  namingTest(
    'an atomic replacement moves calls without one that fails, and no client sees both or neither',
    async (stage) => {
      const etcd = await stage.etcd()
      const connection = stage.connection({ hosts: etcd.endpoint })
      const manager = stage.manager(connection, 'svc')
      const servers = [await stage.server(), await stage.server()]
      const resolver = stage.resolver(connection)
      const addrs = servers.map(({ addr }) => addr)
      await manager.addEndpoint('svc/only', { addr: addrs[0] ?? '' })
      const spy = resolver.spy('svc')
      const caller = resolver.dial('svc')
      await caller.call()
      const load = caller.load()
      for (let n = 1; n <= 20; n++) {
        const addr = addrs[n % 2] ?? ''
        await manager.update([
          { op: 'delete', key: 'svc/only' },
          { op: 'add', key: 'svc/only', endpoint: { addr } },
        ])
        await eventually('calls go there', () => load.latest(8).size === 1 && load.latest(1).has(addr))
      }
      await load.stop()
      assert.deepEqual(load.failures, [])
      assert.deepEqual(
        spy.pushes,
        Array.from({ length: 21 }, (_, n) => ({ addrs: [addrs[n % 2]] })),
      )
    },
  )

  namingTest(
    'channels, managers and resolvers of one connection share one watch of a target, and give it up together',
    async (stage) => {
      const etcd = await stage.etcd()
      const connection = stage.connection({ hosts: etcd.endpoint })
      const server = await stage.server()
      for (const target of ['svc', 'other']) await publish(stage.manager(connection, target), server.addr)
      assert.equal(await watchersOf(etcd), 0)
      const resolver = stage.resolver(connection)
      const second = stage.resolver(connection)
      const callers = [
        resolver.dial('svc'),
        resolver.dial('svc', { 'grpc.primary_user_agent': 'another' }),
        second.dial('svc'),
      ]
      const seen = stage.follow(stage.manager(connection, 'svc'))
      await Promise.all(callers.map((caller) => caller.call()))
      await eventually('the first item', () => seen.items.length === 1)
      assert.equal(await watchersOf(etcd), 1)
      const other = resolver.dial('other')
      await other.call()
      await eventually('one more for another target', async () => (await watchersOf(etcd)) === 2)
      for (const caller of [...callers, other]) caller.close()
      await eventually('the manager still watches', async () => (await watchersOf(etcd)) === 1)
      connection.close()
      await eventually('nobody watches', async () => (await watchersOf(etcd)) === 0)
      assert.equal(seen.end, 'done')
    },
  )
})
