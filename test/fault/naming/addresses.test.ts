/** What the balancer is told: an empty target, values that are no endpoints, equal addresses, changes that change nothing, many at once. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { endpointKey } from '../../../src/naming/index.ts'
import { eventually } from '../../support/eventually.ts'
import { namingTest, publish, watchersOf, withdraw } from '../../support/naming-suite.ts'
import type { Stage } from '../../support/naming-suite.ts'

const POLICIES = [undefined, 'round_robin'] as const

async function store(stage: Stage, target = 'svc') {
  const etcd = await stage.etcd()
  const connection = stage.connection({ hosts: etcd.endpoint })
  return { etcd, connection, manager: stage.manager(connection, target) }
}

const isUnavailable = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === status.UNAVAILABLE && /no endpoints/.test(error.message)

describe('addresses', { concurrency: 4 }, () => {
  for (const loadBalancing of POLICIES) {
    const policy = loadBalancing ?? 'pick_first'
    namingTest(
      `an empty target fails calls at once, at first and later alike, and heals (${policy})`,
      async (stage) => {
        const { connection, manager } = await store(stage)
        const server = await stage.server()
        const caller = stage.resolver(connection, { loadBalancing }).dial('svc')
        const failsAtOnce = async () => {
          const startMs = performance.now()
          await assert.rejects(caller.call(20_000), isUnavailable)
          assert.ok(performance.now() - startMs < 2_000, 'well before the deadline')
        }
        const follows = (what: string) => eventually(what, () => caller.call().catch(() => undefined))
        await failsAtOnce()
        await publish(manager, server.addr)
        assert.equal(await follows('it is found'), server.addr)
        await withdraw(manager, server.addr)
        await eventually('it is empty', () => caller.call().then(() => false, isUnavailable))
        await failsAtOnce()
        await publish(manager, server.addr)
        assert.equal(await follows('it is found again'), server.addr)
      },
    )

    namingTest(
      `emptyGraceMs holds the last list, then gives in, and ends early for a new one (${policy})`,
      async (stage) => {
        const { connection, manager } = await store(stage)
        const [first, second] = [await stage.server(), await stage.server()]
        await publish(manager, first.addr)
        const caller = stage.resolver(connection, { loadBalancing, emptyGraceMs: 1_500 }).dial('svc')
        assert.equal(await caller.call(), first.addr)
        const load = caller.load()
        await withdraw(manager, first.addr)
        await delay(500)
        await publish(manager, second.addr)
        await eventually('the new one is used within the grace time', () => load.latest(10).has(second.addr))
        await load.stop()
        assert.deepEqual(load.failures, [])
        const withdrawnAtMs = performance.now()
        await withdraw(manager, second.addr)
        await eventually('it is empty in the end', () => caller.call().then(() => false, isUnavailable))
        const heldMs = performance.now() - withdrawnAtMs
        assert.ok(heldMs > 1_400 && heldMs < 4_000, `held for ${heldMs} ms`)
      },
    )
  }

  namingTest(
    'a target that was emptied while the channel was idle holds its last list for the grace time too',
    async (stage) => {
      const { etcd, connection, manager } = await store(stage)
      const server = await stage.server()
      await publish(manager, server.addr)
      const caller = stage
        .resolver(connection, { emptyGraceMs: 30_000 })
        .dial('svc', { 'grpc.client_idle_timeout_ms': 1_000 })
      await caller.call()
      await eventually('the channel is idle', async () => (await watchersOf(etcd)) === 0)
      await withdraw(manager, server.addr)
      assert.equal(await caller.call(5_000), server.addr)
    },
  )

  namingTest('a key overwritten with garbage is gone for list, watch and resolver alike', async (stage) => {
    const { etcd, connection, manager } = await store(stage)
    const [good, bad] = [await stage.server(), await stage.server()]
    await publish(manager, good.addr, bad.addr)
    const seen = stage.follow(manager)
    const spy = stage.resolver(connection).spy('svc')
    await eventually('both are seen', () => seen.addrs.size === 2 && spy.pushes.length === 1)
    for (const garbage of ['not json', '{"Op":0,"Addr":7}', '[]', '{"Addr":"a:1"} trailing']) {
      await publish(manager, bad.addr)
      await eventually('it is there', () => seen.addrs.size === 2)
      await etcd.etcdctl('put', '--', endpointKey('svc', bad.addr), garbage)
      await eventually('it is gone', () => seen.addrs.size === 1)
      assert.deepEqual([...(await manager.list()).keys()], [endpointKey('svc', good.addr)])
      await eventually('the resolver agrees', () => sameJson(spy.pushes.at(-1), { addrs: [good.addr] }))
    }
    // A reader that comes when it is there already sees the same.
    const late = stage.follow(stage.manager({ hosts: etcd.endpoint }, 'svc'))
    await eventually('the first item', () => late.items.length === 1)
    assert.deepEqual([...late.addrs.values()], [good.addr])
  })

  namingTest(
    'an address under two keys has one connection and one share, and lives as long as one of them',
    async (stage) => {
      const { connection, manager } = await store(stage)
      const [twice, once] = [await stage.server(), await stage.server()]
      const add = (key: string, addr: string) => manager.addEndpoint(`svc/${key}`, { addr })
      await Promise.all([add('a', twice.addr), add('b', twice.addr), add('c', once.addr)])
      const resolver = stage.resolver(connection, { loadBalancing: 'round_robin' })
      const caller = resolver.dial('svc')
      const spy = resolver.spy('svc')
      await eventually('both answer', async () => (await caller.spread(8)).size === 2)
      assert.deepEqual([...(await caller.spread(1_000)).values()], [500, 500])
      assert.equal(twice.connections, 1)
      await manager.deleteEndpoint('svc/b')
      await add('d', once.addr)
      assert.deepEqual([...(await caller.spread(1_000)).values()], [500, 500])
      await manager.deleteEndpoint('svc/a')
      await eventually('it is gone', () => sameJson(spy.pushes.at(-1), { addrs: [once.addr] }))
      assert.equal(spy.pushes.length, 2, 'two pushes: both, then one')
      assert.equal(twice.connections + once.connections, 2)
    },
  )

  namingTest('what changes no address never reaches the balancer', async (stage) => {
    const { connection, manager } = await store(stage)
    const addrs = ['127.0.0.1:1001', '127.0.0.1:1002']
    await publish(manager, ...addrs)
    const spy = stage.resolver(connection).spy('svc')
    const seen = stage.follow(manager)
    await eventually('the first list', () => spy.pushes.length === 1)
    const key = endpointKey('svc', '127.0.0.1:1001')
    for (let n = 0; n < 50; n++) {
      await publish(manager, ...addrs)
      await manager.addEndpoint(key, { addr: '127.0.0.1:1001', metadata: { n } })
      await manager.addEndpoint('svc/undialable', { addr: `nowhere-${n}` })
    }
    await publish(manager, '127.0.0.1:1003')
    await eventually('the change', () => spy.pushes.length > 1)
    assert.equal(spy.pushes.length, 2)
    await eventually('the watch has it', () => seen.addrs.size === 4)
    // For the watch metadata is a change; the same bytes again are none.
    const later = seen.items.slice(1).flatMap(({ updates }) => updates.map((update) => update.key))
    assert.equal(later.includes(endpointKey('svc', '127.0.0.1:1002')), false)
    assert.equal(later.includes(key), true)
  })

  namingTest('300 updates at once are one revision, one item and one push to the balancer', async (stage) => {
    const { connection, manager } = await store(stage)
    await publish(manager, '127.0.0.1:1')
    const spy = stage.resolver(connection, { loadBalancing: 'round_robin' }).spy('svc')
    const seen = stage.follow(manager)
    await eventually('the first list', () => spy.pushes.length === 1 && seen.items.length === 1)
    const { revision } = await manager.update([
      ...Array.from({ length: 300 }, (_, n) => ({ op: 'add' as const, ...endpoint('svc', `127.1.0.1:${n + 1}`) })),
      { op: 'delete', key: endpointKey('svc', '127.0.0.1:1') },
    ])
    await eventually('the change', () => spy.pushes.length > 1 && seen.items.length > 1)
    const end = await publish(manager, '127.0.0.1:2')
    await eventually('the next', () => spy.pushes.length > 2 && seen.items.length > 2)
    assert.deepEqual(
      seen.items.slice(1).map((item) => [item.revision, item.updates.length]),
      [
        [revision, 301],
        [end.revision, 1],
      ],
    )
    const sizes = spy.pushes.map((push) => ('addrs' in push ? push.addrs.length : 0))
    assert.deepEqual(sizes, [1, 300, 301])
  })

  namingTest('5,000 endpoints of more than 4 MiB are listed, watched and resolved', async (stage) => {
    const { etcd, manager } = await store(stage)
    const note = 'x'.repeat(900)
    const addrs = Array.from({ length: 5_000 }, (_, n) => `127.${Math.floor(n / 250)}.1.${n % 250}:50051`)
    for (let from = 0; from < addrs.length; from += 1_000) {
      await manager.update(
        addrs.slice(from, from + 1_000).map((addr) => {
          const { key } = endpoint('svc', addr)
          return { op: 'add', key, endpoint: { addr, metadata: { note } } }
        }),
      )
    }
    const proxy = await stage.proxy(etcd)
    const reader = stage.connection({ hosts: `127.0.0.1:${proxy.port}` })
    const seen = stage.follow(stage.manager(reader, 'svc'))
    const spy = stage.resolver(reader).spy('svc')
    assert.equal((await manager.list()).size, 5_000)
    await eventually('the watch has all', () => seen.addrs.size === 5_000)
    assert.equal(seen.items.length, 1)
    await eventually('the resolver has all', () => spy.pushes.length === 1)
    // All of them change while we are cut off: the stream replays more than 4 MiB, too.
    proxy.refuse()
    await etcd.etcdctl('del', '--prefix', 'svc/')
    await publish(manager, '127.0.0.1:1')
    proxy.accept()
    await eventually('the end', () => sameJson([...seen.addrs.values()], ['127.0.0.1:1']))
    await eventually('the resolver too', () => sameJson(spy.pushes.at(-1), { addrs: ['127.0.0.1:1'] }))
  })
})

function endpoint(target: string, addr: string) {
  return { key: endpointKey(target, addr), endpoint: { addr } }
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
