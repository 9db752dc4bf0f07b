/** Etcd is not there: at dial calls fail soon and say why; later the last known list stays in force, and calls go on. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { freePort } from '../../../dev/control-plane/free-port.ts'
import { UnavailableError } from '../../../src/naming/index.ts'
import { eventually } from '../../support/eventually.ts'
import { namingTest, publish, watchersOf, withdraw } from '../../support/naming-suite.ts'

const failsWith = (code: status) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code

const IDLE_SOON = { 'grpc.client_idle_timeout_ms': 1_000 }

describe('etcd away', { concurrency: 4 }, () => {
  namingTest(
    'a connection that is refused at dial fails calls long before their deadline, and heals',
    async (stage) => {
      const clientPort = await freePort()
      const hosts = `http://127.0.0.1:${clientPort}`
      const caller = stage.resolver({ hosts }).dial('svc')
      for (let n = 0; n < 3; n++) {
        const startMs = performance.now()
        await assert.rejects(caller.call(20_000), (error: Error) => {
          assert.match(error.message, new RegExp(`etcd target "svc": etcd ${hosts}: .*ECONNREFUSED`))
          return failsWith(status.UNAVAILABLE)(error)
        })
        assert.ok(performance.now() - startMs < 2_000, 'long before the deadline')
      }
      const refused = stage.follow(stage.manager({ hosts }, 'svc'))
      await eventually('a watch is told', () => refused.end instanceof UnavailableError)
      const server = await stage.server()
      await stage.etcd({ clientPort })
      await publish(stage.manager({ hosts }, 'svc'), server.addr)
      const found = await eventually(
        'it works as soon as etcd is there',
        () => caller.call().catch(() => undefined),
        4_000,
      )
      assert.equal(found, server.addr)
    },
  )

  namingTest('a silent etcd at dial: deadlines are kept, then calls fail at once; nothing hangs', async (stage) => {
    const etcd = await stage.etcd()
    const proxy = await stage.proxy(etcd)
    proxy.pause()
    const server = await stage.server()
    await publish(stage.manager({ hosts: etcd.endpoint }, 'svc'), server.addr)
    const source = { hosts: `127.0.0.1:${proxy.port}`, requestTimeoutMs: 2_000 }
    const caller = stage.resolver(source).dial('svc')
    const startMs = performance.now()
    await assert.rejects(caller.call(500), failsWith(status.DEADLINE_EXCEEDED))
    const tookMs = performance.now() - startMs
    assert.ok(tookMs >= 490 && tookMs < 1_000, `took ${tookMs} ms`)
    await assert.rejects(caller.call(20_000), failsWith(status.UNAVAILABLE))
    assert.ok(performance.now() - startMs < 4_000, 'the time of a request, not the deadline of the call')
    const silent = stage.follow(stage.manager(source, 'svc'))
    await eventually('a watch is told', () => silent.end instanceof Error, 4_000)
    const closing = stage.resolver(source)
    const closed = closing.dial('svc')
    const pending = assert.rejects(closed.call(20_000))
    closed.close()
    closing.close()
    await pending
    proxy.resume()
    const found = await eventually('it works as soon as etcd answers', () => caller.call().catch(() => undefined))
    assert.equal(found, server.addr)
  })

  namingTest(
    'hosts that are not there are passed over within the first call, list, update and watch',
    async (stage) => {
      const etcd = await stage.etcd()
      for (const command of ['user add root:secret', 'user grant-role root root', 'auth enable']) {
        await etcd.etcdctl(...command.split(' '))
      }
      const server = await stage.server()
      const gone = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`]
      const source = () => ({ hosts: [...gone, etcd.endpoint], auth: { username: 'root', password: 'secret' } })
      await publish(stage.manager(source(), 'svc'), server.addr)
      assert.equal((await stage.manager(source(), 'svc').list()).size, 1)
      assert.equal(await stage.resolver(source()).dial('svc').call(), server.addr)
      const seen = stage.follow(stage.manager(source(), 'svc'))
      await eventually('the first item', () => seen.items.length === 1)
      assert.equal(seen.end, undefined)
    },
  )

  namingTest(
    'a list whose host dies before it answers goes on at another; so do calls of a new channel',
    async (stage) => {
      const etcd = await stage.etcd()
      const [dying, healthy] = [await stage.proxy(etcd), await stage.proxy(etcd)]
      const server = await stage.server()
      await publish(stage.manager({ hosts: etcd.endpoint }, 'svc'), server.addr)
      const connection = stage.connection({ hosts: [`127.0.0.1:${dying.port}`, `127.0.0.1:${healthy.port}`] })
      const manager = stage.manager(connection, 'svc')
      await manager.list()
      dying.pause('to-client')
      const listed = manager.list()
      const answer = stage.resolver(connection).dial('svc').call()
      await delay(300)
      dying.refuse()
      assert.equal((await listed).size, 1)
      assert.equal(await answer, server.addr)
    },
  )

  namingTest('a new connection does not wait out the backoff of another one to the same host', async (stage) => {
    const proxy = await stage.proxy(await stage.etcd())
    const hosts = `127.0.0.1:${proxy.port}`
    const early = stage.manager({ hosts }, 'svc')
    proxy.refuse()
    // Its channel waits longer after each attempt that is refused.
    const endMs = performance.now() + 2_000
    const failed = () =>
      early.list().then(
        () => false,
        () => performance.now() > endMs,
      )
    await eventually('it has waited for long', failed)
    proxy.accept()
    assert.equal((await stage.manager({ hosts }, 'svc').list()).size, 0)
  })

  for (const loadBalancing of [undefined, 'round_robin'] as const) {
    const policy = loadBalancing ?? 'pick_first'
    namingTest(
      `no call fails while etcd is away, and what changes when it is back is followed (${policy})`,
      async (stage) => {
        const etcd = await stage.etcd()
        const manager = stage.manager({ hosts: etcd.endpoint }, 'svc')
        const [a, b, c] = [await stage.server(), await stage.server(), await stage.server()]
        await publish(manager, a.addr, b.addr)
        const resolver = stage.resolver({ hosts: etcd.endpoint }, { loadBalancing })
        const seen = stage.follow(stage.manager({ hosts: etcd.endpoint }, 'svc'))
        const spy = resolver.spy('svc')
        const caller = resolver.dial('svc')
        await caller.call()
        const load = caller.load()
        await eventually('the load runs', () => load.answered > 100 && seen.items.length === 1)
        await etcd.kill()
        await delay(4_000)
        assert.deepEqual([spy.pushes.length, seen.items.length], [1, 1], 'nothing is told that etcd did not say')
        const before = load.answered
        await eventually('calls go on', () => load.answered > before + 100)
        assert.ok([a.addr, b.addr].includes(await resolver.dial('svc').call()), 'a new channel has the list too')
        await etcd.restart()
        const writer = stage.manager({ hosts: etcd.endpoint }, 'svc')
        await publish(writer, c.addr)
        await withdraw(writer, a.addr, b.addr)
        await eventually('the change is followed', () => sameSet(load.latest(50), [c.addr]))
        await load.stop()
        assert.deepEqual(load.failures, [])
        await eventually('the watch, too', () => sameSet(new Set(seen.addrs.values()), [c.addr]))
        assert.equal(seen.end, undefined)
      },
    )
  }

  for (const [fault, away] of [
    ['dead', 'refuse'],
    ['silent', 'pause'],
  ] as const) {
    namingTest(
      `a channel that was idle uses the last list within a second or so while etcd is ${fault}`,
      async (stage) => {
        const etcd = await stage.etcd()
        const proxy = await stage.proxy(etcd)
        const [a, b] = [await stage.server(), await stage.server()]
        const manager = stage.manager({ hosts: etcd.endpoint }, 'svc')
        await publish(manager, a.addr)
        const caller = stage.resolver({ hosts: `127.0.0.1:${proxy.port}` }).dial('svc', IDLE_SOON)
        assert.equal(await caller.call(), a.addr)
        await eventually('it is idle: nothing is watched', async () => (await watchersOf(etcd)) === 0)
        proxy[away]()
        const startMs = performance.now()
        assert.equal(await caller.call(), a.addr)
        assert.ok(performance.now() - startMs < 2_000, `took ${performance.now() - startMs} ms`)
        await publish(manager, b.addr)
        await withdraw(manager, a.addr)
        if (away === 'refuse') proxy.accept()
        else proxy.resume()
        await eventually('it follows again', () => caller.call().then((addr) => addr === b.addr))
      },
    )
  }

  namingTest('a channel that was idle comes back, and finds what changed meanwhile', async (stage) => {
    const etcd = await stage.etcd()
    const connection = stage.connection({ hosts: etcd.endpoint })
    const manager = stage.manager(connection, 'svc')
    const [a, b] = [await stage.server(), await stage.server()]
    const caller = stage.resolver(connection).dial('svc', IDLE_SOON)
    for (const server of [a, b, a]) {
      await publish(manager, server.addr)
      await eventually('the new one answers', () =>
        caller.call().then(
          (addr) => addr === server.addr,
          () => false,
        ),
      )
      await eventually('it is idle', async () => (await watchersOf(etcd)) === 0)
      await withdraw(manager, server.addr)
    }
  })
})

function sameSet(a: ReadonlySet<string>, b: readonly string[]): boolean {
  return a.symmetricDifference(new Set(b)).size === 0
}
