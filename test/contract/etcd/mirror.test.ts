import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEtcd } from '../../../dev/control-plane/etcd.ts'
import { prefixRange } from '../../../src/etcd/kv.ts'
import type { KeyRange } from '../../../src/etcd/kv.ts'
import type { EtcdClient } from '../../../src/etcd/client.ts'
import { createMirrors } from '../../../src/etcd/mirror.ts'
import { nest } from '../../../src/etcd/nest.ts'
import { describeEtcd, put, putNow, silent, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'

function mirrorOf(suite: EtcdSuite, client: EtcdClient) {
  const watcher = suite.watcher(client)
  let storeChanges = 0
  const mirrors = createMirrors({ kv: client, watcher, onStoreChanged: () => storeChanges++, log: silent })
  return {
    watcher,
    get storeChanges() {
      return storeChanges
    },
    open: async (range: KeyRange) => {
      const changes: (readonly string[])[] = []
      const mirror = mirrors.open({ range, onChange: (keys) => changes.push(keys) })
      suite.cleanUp(() => {
        mirror.close()
      })
      await mirror.whenReady(soon())
      return { mirror, changes, keys: () => [...mirror.entries.keys()].toSorted() }
    },
    mirrors,
  }
}

describeEtcd('mirror', (suite) => {
  test('it holds the range, tells changed keys, and observed is of this range only', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const loaded = await putNow(client, `${prefix}a`)
    const { open, watcher } = mirrorOf(suite, client)
    const { mirror, changes, keys } = await open(prefixRange(prefix))
    assert.deepEqual([mirror.observed, keys(), changes], [loaded, [`${prefix}a`], [[`${prefix}a`]]])

    const revision = await putNow(client, `${prefix}b`)
    await putNow(client, `other-${prefix}`)
    await watcher.sync(soon())
    assert.equal(mirror.observed, revision)
    assert.deepEqual(changes.slice(1), [[`${prefix}b`]])
    await client.txn({ compare: [], success: [{ kind: 'delete', ...prefixRange(prefix) }], failure: [] }, soon())
    await watcher.sync(soon())
    assert.deepEqual([changes.at(-1), keys()], [[`${prefix}a`, `${prefix}b`], []])
  })

  test('an empty range becomes ready, and says so', async () => {
    const { open } = mirrorOf(suite, suite.client())
    const { mirror, changes } = await open(prefixRange(suite.prefix()))
    assert.deepEqual([mirror.ready, mirror.entries.size, changes], [true, 0, [[]]])
  })

  test('12,000 keys are read in pages of one revision', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    for (let block = 0; block < 3; block++) {
      const ops = Array.from({ length: 4_000 }, (_, n) => put(`${prefix}${block}-${n}`))
      await client.txn({ compare: [], success: nest(ops, 16), failure: [] }, soon())
    }
    const { open } = mirrorOf(suite, client)
    assert.equal((await open(prefixRange(prefix))).mirror.entries.size, 12_000)
  })

  test('5,000 mirrors are opened with dozens of requests', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    await putNow(client, `${prefix}77/a`)
    let requests = 0
    const counting = { ...client, txn: (...args: Parameters<EtcdClient['txn']>) => (requests++, client.txn(...args)) }
    const watcher = suite.watcher(client)
    const mirrors = createMirrors({ kv: counting, watcher, log: silent })
    const all = Array.from({ length: 5_000 }, (_, n) =>
      mirrors.open({ range: prefixRange(`${prefix}${n}/`), onChange: () => undefined }),
    )
    await Promise.all(all.map((mirror) => mirror.whenReady(soon())))
    assert.equal(all[77]?.entries.size, 1)
    assert.ok(requests <= 80, `${requests} requests`)
    for (const mirror of all) mirror.close()
  })

  test('an own commit is there at once; the watch tells nothing new of it and can not undo it', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    await putNow(client, `${prefix}gone`)
    const { open, watcher } = mirrorOf(suite, client)
    const { mirror, changes, keys } = await open(prefixRange(prefix))
    const { header } = await client.txn(
      { compare: [], success: [put(`${prefix}new`), { kind: 'delete', key: `${prefix}gone` }], failure: [] },
      soon(),
    )
    mirror.apply({
      revision: header.revision,
      puts: [{ key: `${prefix}new`, value: 'v', lease: null }],
      deletes: [`${prefix}gone`],
      guarded: true,
    })
    assert.deepEqual([keys(), mirror.observed], [[`${prefix}new`], header.revision])
    await watcher.sync(soon())
    assert.deepEqual([keys(), changes.length], [[`${prefix}new`], 1])
  })

  test('after a compaction it reads again and tells only the differences', async () => {
    const { proxy, client: faulty } = await suite.faulty()
    const client = suite.client()
    const prefix = suite.prefix()
    for (const name of ['same', 'other', 'gone']) await putNow(client, prefix + name)
    const { open } = mirrorOf(suite, faulty)
    const { mirror, changes, keys } = await open(prefixRange(prefix))
    proxy.refuse()
    await putNow(client, `${prefix}other`, 'changed')
    await client.txn({ compare: [], success: [{ kind: 'delete', key: `${prefix}gone` }], failure: [] }, soon())
    const last = await putNow(client, `${prefix}new`)
    await suite.etcd.etcdctl('compaction', String(last))
    proxy.accept()
    await eventually('the new picture', () => mirror.entries.has(`${prefix}new`))
    assert.deepEqual(
      changes.at(-1)?.toSorted(),
      ['gone', 'new', 'other'].map((name) => prefix + name),
    )
    assert.deepEqual(
      keys(),
      ['new', 'other', 'same'].map((name) => prefix + name),
    )
  })

  test('all keys of a lease that expires or is revoked go as one change', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const { open } = mirrorOf(suite, client)
    const { changes, mirror } = await open(prefixRange(prefix))
    for (const [lease, ttl, end] of [
      ['abc1', 2, async () => undefined],
      ['abc2', 60, () => suite.etcd.etcdctl('lease', 'revoke', 'abc2')],
    ] as const) {
      await client.leaseGrant(lease, ttl, soon())
      const ops = ['a', 'b', 'c'].map((name) => put(prefix + name, 'v', lease))
      await client.txn({ compare: [], success: ops, failure: [] }, soon())
      await eventually('they are there', () => mirror.entries.size === 3)
      await end()
      await eventually('they go', () => mirror.entries.size === 0)
      assert.deepEqual(
        changes.at(-1)?.toSorted(),
        ['a', 'b', 'c'].map((name) => prefix + name),
      )
    }
  })

  test('a store that went back in time is noticed, reported and read again', async () => {
    const first = await startEtcd({ version: suite.etcd.version })
    suite.cleanUp(() => first.stop())
    const client = suite.client({ endpoints: [first.endpoint] })
    for (let n = 0; n < 20; n++) await putNow(client, 'p/old', String(n))
    const replica = mirrorOf(suite, client)
    const { mirror, keys } = await replica.open(prefixRange('p/'))
    await first.kill()
    const second = await startEtcd({ version: suite.etcd.version, clientPort: first.port })
    // A clean stop would wait for our streams, which are closed after this.
    suite.cleanUp(async () => {
      await second.kill()
      await second.stop()
    })
    await eventually('the new store is shown', () => replica.storeChanges > 0 && mirror.ready && keys().length === 0)
    const revision = await putNow(client, 'p/new')
    await eventually('and followed', () => keys().length === 1)
    assert.equal(mirror.observed, revision)
  })
})
