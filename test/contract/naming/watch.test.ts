/** `EndpointManager.watch` against real etcd: what comes, in which pieces, and every way to end it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../../../dev/control-plane/free-port.ts'
import { EtcdConnection, UnavailableError } from '../../../src/naming/index.ts'
import type { EndpointManager, WatchItem } from '../../../src/naming/index.ts'
import { describeEtcd, putNow, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { manyAdds, newManager, newTarget, optionsOf, recordedLog } from '../../support/naming-contract.ts'
import { watchersOf } from '../../support/naming-suite.ts'

type Watch = AsyncIterator<WatchItem, void>

async function nextOf(watch: Watch): Promise<WatchItem> {
  const { value } = await watch.next()
  assert.ok(value, 'the watch goes on')
  return value
}

/** What a reader of the items has. */
function read(into: Map<string, string>, { updates }: WatchItem): void {
  for (const update of updates) {
    if (update.op === 'add') into.set(update.key, update.endpoint.addr)
    else into.delete(update.key)
  }
}

async function listed(manager: EndpointManager): Promise<ReadonlyMap<string, string>> {
  return new Map([...(await manager.list())].map(([key, { addr }]) => [key, addr]))
}

function newConnection(suite: EtcdSuite): EtcdConnection {
  const connection = new EtcdConnection(optionsOf(suite))
  suite.cleanUp(() => {
    connection.close()
  })
  return connection
}

/** Nothing is left of a watch that ended. */
function allWatchesEnd(suite: EtcdSuite): Promise<unknown> {
  return eventually('etcd has no watch', async () => (await watchersOf(suite.etcd)) === 0)
}

describeEtcd('watch', (suite) => {
  test('the first item is the whole set in key order, perhaps empty; then come whole revisions', async () => {
    const manager = newManager(suite)
    const { target } = manager
    for await (const { updates } of manager.watch(soon())) {
      assert.deepEqual(updates, [])
      break
    }
    for (const name of ['b', 'a', 'c']) await manager.addEndpoint(`${target}/${name}`, { addr: `${name}:1` })
    const watch = manager.watch(soon())
    const first = await nextOf(watch)
    assert.deepEqual(
      first.updates,
      ['a', 'b', 'c'].map((name) => ({
        op: 'add',
        key: `${target}/${name}`,
        endpoint: { addr: `${name}:1`, metadata: null },
      })),
    )
    const { revision } = await manager.update([
      { op: 'delete', key: `${target}/b` },
      { op: 'add', key: `${target}/d`, endpoint: { addr: 'd:1' } },
      { op: 'add', key: `${target}/a`, endpoint: { addr: 'a:1', metadata: 'changed' } },
    ])
    const second = await nextOf(watch)
    assert.equal(second.revision, revision)
    assert.deepEqual(
      new Set(second.updates.map(({ op, key }) => `${op} ${key}`)),
      new Set([`delete ${target}/b`, `add ${target}/d`, `add ${target}/a`]),
    )
  })

  test('5,000 updates of one revision are one item', async () => {
    const manager = newManager(suite)
    const watch = manager.watch(soon())
    await nextOf(watch)
    const { revision } = await manager.update(manyAdds(manager.target, 5_000))
    const item = await nextOf(watch)
    assert.deepEqual([item.revision, item.updates.length], [revision, 5_000])
  })

  test('a write without a change, a neighbour and garbage that stays garbage are no item', async () => {
    const { log, lines } = recordedLog()
    const target = newTarget(suite)
    const manager = newManager(suite, target, optionsOf(suite, { log }))
    await manager.addEndpoint(`${target}/a`, { addr: 'a:1' })
    const watch = manager.watch(soon())
    await nextOf(watch)
    await manager.addEndpoint(`${target}/a`, { addr: 'a:1' })
    await putNow(suite.client(), `${target}_other/a`, 'garbage')
    await putNow(suite.client(), `${target}/garbage`, 'garbage')
    await putNow(suite.client(), `${target}/garbage`, 'more garbage')
    await manager.addEndpoint(`${target}/z`, { addr: 'z:1' })
    const { updates } = await nextOf(watch)
    assert.deepEqual(
      updates.map(({ key }) => key),
      [`${target}/z`],
    )
    assert.deepEqual(new Set(lines.map(({ message }) => message)), new Set(['not an endpoint: skipped']))
  })

  test('garbage over an endpoint deletes it, for watch and list alike', async () => {
    const manager = newManager(suite)
    const key = `${manager.target}/a`
    await manager.addEndpoint(key, { addr: 'a:1' })
    const watch = manager.watch(soon())
    await nextOf(watch)
    await putNow(suite.client(), key, 'garbage')
    assert.deepEqual((await nextOf(watch)).updates, [{ op: 'delete', key }])
    assert.equal((await manager.list()).size, 0)
  })

  test('an endpoint whose lease ends is deleted', async () => {
    const manager = newManager(suite)
    const client = suite.client()
    await client.leaseGrant('1ea5e', 60, soon())
    await manager.addEndpoint(`${manager.target}/a`, { addr: 'a:1' }, { lease: '1ea5e' })
    const watch = manager.watch(soon())
    await nextOf(watch)
    await client.leaseRevoke('1ea5e', soon())
    assert.deepEqual((await nextOf(watch)).updates, [{ op: 'delete', key: `${manager.target}/a` }])
  })

  test('who comes later to a shared target gets the whole set of now first, by the same watch', async () => {
    const connection = newConnection(suite)
    const target = newTarget(suite)
    const [one, two] = [newManager(suite, target, connection), newManager(suite, target, connection)]
    const early = one.watch(soon())
    await nextOf(early)
    // What was acknowledged before is in the first item, although the shared watch may not have told of it yet.
    for (let size = 1; size <= 20; size++) {
      await one.addEndpoint(`${target}/${size}`, { addr: `10.0.0.1:${size}` })
      const late = two.watch(soon())
      assert.equal((await nextOf(late)).updates.length, size)
      await late.return()
      await nextOf(early)
    }
    const gone = Array.from({ length: 20 }, (_, n) => ({ op: 'delete', key: `${target}/${n + 1}` }) as const)
    await one.update([...gone, ...manyAdds(target, 2)])
    await nextOf(early)
    const late = two.watch(soon())
    assert.equal((await nextOf(late)).updates.length, 2)
    assert.equal(await watchersOf(suite.etcd), 1)
    await one.deleteEndpoint(`${target}/10.0.0.7:10000`)
    const want = [{ op: 'delete', key: `${target}/10.0.0.7:10000` }]
    assert.deepEqual((await nextOf(early)).updates, want)
    assert.deepEqual((await nextOf(late)).updates, want)
    await early.return()
    await two.addEndpoint(`${target}/b`, { addr: 'b:1' })
    assert.equal((await nextOf(late)).updates.length, 1)
    await late.return()
    await allWatchesEnd(suite)
  })

  test('a slow reader gets fewer, larger items, and the right set', async () => {
    const manager = newManager(suite)
    const watch = manager.watch(soon(30_000))
    const set = new Map<string, string>()
    read(set, await nextOf(watch))
    const prompt = newManager(suite, manager.target).watch(soon(30_000))
    await nextOf(prompt)
    let last = 0
    for (let n = 0; n < 600; n++) {
      const key = `${manager.target}/${n % 7}`
      const update =
        n % 3 === 2 ? { op: 'delete' as const, key } : { op: 'add' as const, key, endpoint: { addr: `a:${n}` } }
      // The last one is a change for sure.
      const { revision } = await manager.update([
        update,
        { op: 'add', key: `${manager.target}/n`, endpoint: { addr: `n:${n}` } },
      ])
      last = revision
    }
    for (let revision = 0; revision < last;) ({ revision } = await nextOf(prompt))
    let items = 0
    for (let revision = 0; revision < last; items++) {
      const item = await nextOf(watch)
      read(set, item)
      revision = item.revision
    }
    assert.ok(items <= 257, `${items} items`)
    assert.deepEqual(set, await listed(manager))
  })
})

describeEtcd('a watch ends', (suite) => {
  const ends: readonly {
    readonly name: string
    readonly end: (watch: AsyncGenerator<WatchItem, void>, abort: () => void, manager: EndpointManager) => unknown
  }[] = [
    {
      name: 'by its signal',
      end: (_watch, abort) => {
        abort()
      },
    },
    { name: 'by return() from elsewhere', end: (watch) => watch.return() },
    {
      name: 'by close() of its manager',
      end: (_watch, _abort, manager) => {
        manager.close()
      },
    },
  ]
  for (const { name, end } of ends) {
    test(`${name}, without an error, while its reader waits`, async () => {
      const manager = newManager(suite)
      const aborting = new AbortController()
      const watch = manager.watch(aborting.signal)
      await nextOf(watch)
      const waiting = watch.next()
      const ended = end(
        watch,
        () => {
          aborting.abort()
        },
        manager,
      )
      assert.deepEqual(await waiting, { done: true, value: undefined })
      await ended
      assert.deepEqual(await watch.next(), { done: true, value: undefined })
      await allWatchesEnd(suite)
    })
  }

  test('by break, and by an exception of its reader', async () => {
    const manager = newManager(suite)
    for await (const _ of manager.watch(soon())) break
    const mine = new Error('mine')
    const reading = async () => {
      for await (const _ of manager.watch(soon())) throw mine
    }
    await assert.rejects(reading(), mine)
    await allWatchesEnd(suite)
  })

  test('before it began, by a signal that is aborted already or by return()', async () => {
    const manager = newManager(suite)
    assert.deepEqual(await manager.watch(AbortSignal.abort()).next(), { done: true, value: undefined })
    const watch = manager.watch()
    await watch.return()
    assert.deepEqual(await watch.next(), { done: true, value: undefined })
    await allWatchesEnd(suite)
  })

  test('by an exception when the first read fails; a new one works as soon as etcd does', async () => {
    const { proxy } = await suite.faulty()
    const manager = newManager(suite, undefined, { hosts: `127.0.0.1:${proxy.port}` })
    proxy.refuse()
    await assert.rejects(manager.watch(soon()).next(), UnavailableError)
    proxy.accept()
    await eventually('it begins', () =>
      manager
        .watch(soon())
        .next()
        .catch(() => undefined),
    )
  })

  test('by an exception at once, where nobody listens', async () => {
    const manager = newManager(suite, undefined, { hosts: `127.0.0.1:${await freePort()}` })
    const startMs = performance.now()
    await assert.rejects(manager.watch().next(), UnavailableError)
    assert.ok(performance.now() - startMs < 2_000)
  })
})
