/** `EndpointManager` against real etcd: the tests of etcd's own package by their names, then what ours promises beyond. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { prefixRange } from '../../../src/etcd/kv.ts'
import type { Entry } from '../../../src/etcd/kv.ts'
import { RejectedError, UnavailableError } from '../../../src/naming/index.ts'
import type { Update, WatchItem } from '../../../src/naming/index.ts'
import { describeEtcd, putNow, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { manyAdds, newManager, newTarget } from '../../support/naming-contract.ts'

async function entriesOf(suite: EtcdSuite, target: string): Promise<readonly Entry[]> {
  return (await suite.client().range(prefixRange(`${target}/`), soon())).entries
}

async function revisionOf(suite: EtcdSuite): Promise<number> {
  return (await suite.client().status(soon())).revision
}

async function nextOf(watch: AsyncIterator<WatchItem, void>): Promise<readonly WatchItem['updates'][number][]> {
  const { value } = await watch.next()
  assert.ok(value, 'the watch goes on')
  return value.updates
}

/** As a caller without types may write it. */
function untyped(update: object): Update {
  return JSON.parse(JSON.stringify(update))
}

describeEtcd("etcd's own tests", (suite) => {
  test('TestEndpointManager: what is added and deleted is watched', async () => {
    const manager = newManager(suite)
    const key = `${manager.target}/a1`
    const endpoint = { addr: '127.0.0.1', metadata: 'metadata' }
    const watch = manager.watch(soon())
    assert.deepEqual(await nextOf(watch), [])
    await manager.addEndpoint(key, endpoint)
    assert.deepEqual(await nextOf(watch), [{ op: 'add', key, endpoint }])
    await manager.deleteEndpoint(key)
    assert.deepEqual(await nextOf(watch), [{ op: 'delete', key }])
  })

  test('TestEndpointManagerAtomicity: several updates are one revision, written and watched', async () => {
    const manager = newManager(suite)
    const keys = ['host', 'host2'].map((name) => `${manager.target}/${name}`)
    await manager.update(keys.map((key, n) => ({ op: 'add', key, endpoint: { addr: `127.0.0.1:${2000 + n}` } })))
    const watch = manager.watch(soon())
    assert.equal((await nextOf(watch)).length, 2)
    const success = keys.map((key) => ({ kind: 'delete' as const, key }))
    await suite.client().txn({ compare: [], success, failure: [] }, soon())
    assert.deepEqual(
      await nextOf(watch),
      keys.map((key) => ({ op: 'delete', key })),
    )
  })

  test('TestEndpointManagerCRUD: add, list, delete, update', async () => {
    const manager = newManager(suite)
    const listed = async () => Object.fromEntries(await manager.list())
    const [k1, k2, k3] = ['a1', 'a2', 'a3'].map((name) => `${manager.target}/${name}`)
    assert.ok(k1 !== undefined && k2 !== undefined && k3 !== undefined)
    const endpoint = (n: number) => ({ addr: `127.0.0.${n}`, metadata: `metadata${n}` })
    await manager.addEndpoint(k1, endpoint(1))
    await manager.addEndpoint(k2, endpoint(2))
    assert.deepEqual(await listed(), { [k1]: endpoint(1), [k2]: endpoint(2) })
    await manager.deleteEndpoint(k1)
    assert.deepEqual(await listed(), { [k2]: endpoint(2) })
    await manager.update([
      { op: 'add', key: k3, endpoint: endpoint(3) },
      { op: 'delete', key: k2 },
    ])
    assert.deepEqual(await listed(), { [k3]: endpoint(3) })
  })

  test('TestEtcdEndpointManager: targets that begin alike do not mix', async () => {
    const target = newTarget(suite)
    const [foo, other] = [newManager(suite, target), newManager(suite, `${target}_other`)]
    await foo.addEndpoint(`${target}/e1`, { addr: '127.0.0.1:1' })
    await other.addEndpoint(`${target}_other/e2`, { addr: '127.0.0.1:2' })
    assert.deepEqual([...(await foo.list()).keys()], [`${target}/e1`])
    assert.deepEqual([...(await other.list()).keys()], [`${target}_other/e2`])
  })

  test('TestEndpointManagerUpdateRejectsRangeDeleteAtomically: there is no way to delete a range', async () => {
    const manager = newManager(suite)
    await manager.update(manyAdds(manager.target, 3))
    const [first] = [...(await manager.list()).keys()]
    await manager.update([untyped({ op: 'delete', key: first, rangeEnd: '\0', fromKey: true, prefix: true })])
    assert.equal((await manager.list()).size, 2)
  })
})

describeEtcd('update', (suite) => {
  test('nothing is sent when one update is wrong', async () => {
    const manager = newManager(suite)
    const { target } = manager
    const good: Update = { op: 'add', key: `${target}/a`, endpoint: { addr: 'a:1' } }
    const before = await revisionOf(suite)
    for (const [wrong, message] of [
      [{ ...good, key: 'bar' }, `endpoints: endpoint key should be prefixed with '${target}/' got: 'bar'`],
      [untyped({ ...good, op: 'put' }), 'endpoints: bad update op'],
      [{ ...good, endpoint: { addr: 'a:1', metadata: Infinity } }, 'json: unsupported value: +Inf'],
    ] as const) {
      await assert.rejects(manager.update([good, wrong, good]), { message })
    }
    assert.equal(await revisionOf(suite), before)
  })

  test('no update is no error and no revision', async () => {
    const manager = newManager(suite)
    const before = await revisionOf(suite)
    const { revision, previous } = await manager.update([])
    assert.equal(revision, before)
    assert.equal(previous.size, 0)
  })

  test('a delete of what is not there is no error', async () => {
    const manager = newManager(suite)
    await manager.deleteEndpoint(`${manager.target}/nobody`)
  })

  test('the value is what Go writes', async () => {
    const manager = newManager(suite)
    await manager.addEndpoint(`${manager.target}/a`, { addr: 'a:1', metadata: { b: '<&>', a: [1, null] } })
    const [entry] = await entriesOf(suite, manager.target)
    assert.equal(
      Buffer.from(entry?.value ?? []).toString(),
      '{"Op":0,"Addr":"a:1","Metadata":{"a":[1,null],"b":"\\u003c\\u0026\\u003e"}}',
    )
  })

  test('an endpoint lives as long as its lease, given in hexadecimal or as bigint; without one it is detached', async () => {
    const manager = newManager(suite)
    const client = suite.client()
    const lease = '694d81417acd4b11'
    await client.leaseGrant(lease, 60, soon())
    const add = (name: string, of?: string | bigint) =>
      manager.addEndpoint(`${manager.target}/${name}`, { addr: `${name}:1` }, { lease: of })
    await add('hex', lease)
    await add('bigint', BigInt(`0x${lease}`))
    await add('detached', lease)
    await add('detached')
    const leases = (await entriesOf(suite, manager.target)).map((entry) => [entry.key.split('/').at(-1), entry.lease])
    assert.deepEqual(Object.fromEntries(leases), { hex: lease, bigint: lease, detached: null })
    await client.leaseRevoke(lease, soon())
    assert.deepEqual([...(await manager.list()).keys()], [`${manager.target}/detached`])
  })

  test('the previous value is told on request, for an endpoint that was there', async () => {
    const manager = newManager(suite)
    const key = (name: string) => `${manager.target}/${name}`
    await putNow(suite.client(), key('garbage'), 'garbage')
    await manager.addEndpoint(key('a'), { addr: 'old:1', metadata: 1 })
    await manager.addEndpoint(key('b'), { addr: 'b:1' })
    await manager.addEndpoint(key('unasked'), { addr: 'unasked:1' })
    const { previous } = await manager.update([
      { op: 'add', key: key('a'), endpoint: { addr: 'new:1' }, prevValue: true },
      { op: 'delete', key: key('b'), prevValue: true },
      { op: 'add', key: key('new'), endpoint: { addr: 'new:1' }, prevValue: true },
      { op: 'delete', key: key('missing'), prevValue: true },
      { op: 'add', key: key('garbage'), endpoint: { addr: 'clean:1' }, prevValue: true },
      { op: 'delete', key: key('unasked') },
    ])
    assert.deepEqual(Object.fromEntries(previous), {
      [key('a')]: { addr: 'old:1', metadata: 1 },
      [key('b')]: { addr: 'b:1', metadata: null },
    })
  })

  test('delete and add of one key are an atomic replacement, as the documentation of etcd shows', async () => {
    const manager = newManager(suite)
    const key = `${manager.target}/a`
    await manager.addEndpoint(key, { addr: 'old:1' })
    const watch = manager.watch(soon())
    await nextOf(watch)
    await manager.update([
      { op: 'delete', key },
      { op: 'add', key, endpoint: { addr: 'new:1' } },
    ])
    assert.deepEqual(await nextOf(watch), [{ op: 'add', key, endpoint: { addr: 'new:1', metadata: null } }])
  })

  for (const count of [129, 5_000]) {
    test(`${count} updates are one revision, with their previous values`, async () => {
      const manager = newManager(suite)
      const adds = manyAdds(manager.target, count)
      const { revision } = await manager.update(adds)
      const entries = await entriesOf(suite, manager.target)
      assert.equal(entries.length, count)
      assert.ok(entries.every((entry) => entry.modRevision === revision))
      const { previous } = await manager.update(adds.map(({ key }) => ({ op: 'delete', key, prevValue: true })))
      assert.deepEqual(
        [...previous.keys()],
        adds.map(({ key }) => key),
      )
      assert.equal((await entriesOf(suite, manager.target)).length, 0)
    })
  }

  void describe('what etcd refuses passes through', () => {
    test('a lease that does not exist', async () => {
      const manager = newManager(suite)
      const adding = manager.addEndpoint(`${manager.target}/a`, { addr: 'a:1' }, { lease: 'dead' })
      await assert.rejects(adding, (error) => error instanceof RejectedError && error.code === 'lease-not-found')
    })

    test('a request that is too large', async () => {
      const manager = newManager(suite)
      const metadata = 'x'.repeat(2 * 1024 * 1024)
      const adding = manager.addEndpoint(`${manager.target}/a`, { addr: 'a:1', metadata })
      await assert.rejects(adding, (error) => error instanceof RejectedError && error.code === 'request-too-large')
    })
  })

  test('a signal that is aborted already: nothing is sent', async () => {
    const manager = newManager(suite)
    const aborted = (error: unknown) => error instanceof UnavailableError && error.code === 'aborted'
    const before = await revisionOf(suite)
    await assert.rejects(manager.update(manyAdds(manager.target, 1), AbortSignal.abort()), aborted)
    await assert.rejects(manager.list(AbortSignal.abort()), aborted)
    assert.equal(await revisionOf(suite), before)
  })

  test('a signal ends a call that etcd does not answer, long before its deadline', async () => {
    const { proxy } = await suite.faulty()
    const manager = newManager(suite, undefined, { hosts: `127.0.0.1:${proxy.port}` })
    await manager.list()
    proxy.pause()
    const startMs = performance.now()
    const aborted = { code: 'aborted' }
    await assert.rejects(manager.list(AbortSignal.timeout(100)), aborted)
    await assert.rejects(manager.update(manyAdds(manager.target, 1), AbortSignal.timeout(100)), aborted)
    assert.ok(performance.now() - startMs < 2_000)
  })
})
