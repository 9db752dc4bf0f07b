import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefixRange } from '../../../src/etcd/kv.ts'
import type { KeyRange, KvEvent, Op } from '../../../src/etcd/kv.ts'
import type { Watcher } from '../../../src/etcd/watch.ts'
import { describeEtcd, put, putNow, soon } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'

/** Everything that one watch was told. */
function follow(watcher: Watcher, range: KeyRange, startRevision: number) {
  const deliveries: { readonly events: readonly KvEvent[]; readonly revision: number }[] = []
  const compactions: number[] = []
  let storeChanges = 0
  const watch = watcher.watch({
    range,
    startRevision,
    onEvents: (events, revision) => deliveries.push({ events, revision }),
    onCompacted: (revision) => compactions.push(revision),
    onStoreChanged: () => storeChanges++,
  })
  return {
    deliveries,
    compactions,
    close: () => {
      watch.close()
    },
    get storeChanges() {
      return storeChanges
    },
    get revisions() {
      return deliveries.flatMap(({ events }) =>
        events.map((event) => (event.kind === 'put' ? event.entry.modRevision : event.modRevision)),
      )
    },
  }
}

describeEtcd('watch', (suite) => {
  test('puts and deletes of the range are told in order, what was known is not', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const known = await putNow(client, `${prefix}a`)
    const seen = follow(suite.watcher(client), prefixRange(prefix), known + 1)
    const a = await putNow(client, `${prefix}a`, 'new')
    await putNow(client, `elsewhere-${prefix}`)
    const { header } = await client.txn(
      { compare: [], success: [{ kind: 'delete', key: `${prefix}a` }], failure: [] },
      soon(),
    )
    await eventually('both events', () => seen.revisions.length === 2)
    assert.deepEqual(seen.revisions, [a, header.revision])
    assert.deepEqual(seen.deliveries.at(-1)?.events.slice(-1), [
      { kind: 'delete', key: `${prefix}a`, modRevision: header.revision },
    ])
  })

  test('one txn is one delivery, also when etcd has to cut it into fragments', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const before = await putNow(client, `${prefix}0`)
    const watcher = suite.watcher(client)
    // Many revisions in one catch-up response, far over etcd's 1.5 MiB for one message.
    const last = await (async () => {
      let revision = before
      for (let n = 0; n < 6; n++) {
        const ops = Array.from({ length: 4 }, (_, i): Op => put(`${prefix}${n}-${i}`, 'x'.repeat(200_000)))
        revision = (await client.txn({ compare: [], success: ops, failure: [] }, soon())).header.revision
      }
      return revision
    })()
    const seen = follow(watcher, prefixRange(prefix), before + 1)
    await eventually('all events', () => seen.revisions.length === 24)
    assert.equal(seen.deliveries.at(-1)?.revision, last)
    for (const { events, revision } of seen.deliveries) {
      assert.equal(events.length % 4, 0, 'only whole revisions')
      assert.equal(seen.revisions.filter((found) => found === revision).length, 4)
    }
  })

  test('no event is lost or repeated through cuts, also during replay', async () => {
    const { proxy, client: faulty } = await suite.faulty()
    const client = suite.client()
    const prefix = suite.prefix()
    const start = await putNow(client, `${prefix}start`)
    const written: number[] = []
    for (let n = 0; n < 100; n++) written.push(await putNow(client, `${prefix}${n}`, 'x'.repeat(20_000)))
    const seen = follow(suite.watcher(faulty), prefixRange(prefix), start + 1)
    for (let cut = 0; cut < 5; cut++) {
      const so = seen.revisions.length
      for (let n = 0; n < 40; n++) {
        written.push(await putNow(client, `${prefix}${cut}-${n}`))
        if (n === 20) proxy.cut()
      }
      await eventually('it goes on', () => seen.revisions.length > so)
    }
    await eventually('all events', () => seen.revisions.length >= written.length)
    assert.deepEqual(seen.revisions, written)
  })

  test('a connection that is silently dead is found and replaced', async () => {
    const { proxy, client: faulty } = await suite.faulty()
    const client = suite.client()
    const prefix = suite.prefix()
    const start = await putNow(client, `${prefix}start`)
    const seen = follow(suite.watcher(faulty), prefixRange(prefix), start + 1)
    await putNow(client, `${prefix}a`)
    await eventually('it works', () => seen.revisions.length === 1)
    // Connections of now stall for ever, new ones work: a firewall that forgot us.
    proxy.blackhole()
    await putNow(client, `${prefix}b`)
    await eventually('the event comes', () => seen.revisions.length === 2, 12_000)
  })

  test('compaction during a cut is an outcome, not a silence', async () => {
    const { proxy, client: faulty } = await suite.faulty()
    const client = suite.client()
    const prefix = suite.prefix()
    const start = await putNow(client, `${prefix}start`)
    const watcher = suite.watcher(faulty)
    const seen = follow(watcher, prefixRange(prefix), start + 1)
    await watcher.sync(soon())
    proxy.refuse()
    await putNow(client, `${prefix}lost`)
    const compacted = await putNow(client, `${prefix}kept`)
    await suite.etcd.etcdctl('compaction', String(compacted))
    proxy.accept()
    await eventually('compaction', () => seen.compactions.length === 1)
    assert.deepEqual(seen.compactions, [compacted])
    assert.deepEqual(seen.revisions, [])
  })

  test('a compaction that leaves exactly what is still wanted loses nothing', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const first = await putNow(client, `${prefix}a`)
    const second = await putNow(client, `${prefix}b`)
    await suite.etcd.etcdctl('compaction', String(second))
    const seen = follow(suite.watcher(client), prefixRange(prefix), first + 1)
    await eventually('the event', () => seen.revisions.length === 1)
    assert.deepEqual([seen.revisions, seen.compactions], [[second], []])
  })

  test('a compacted watch leaves nothing behind that would keep the others from being in step', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const first = await putNow(client, `${prefix}a`)
    await putNow(client, `${prefix}b`)
    const third = await putNow(client, `${prefix}c`)
    await suite.etcd.etcdctl('compaction', String(third))
    const watcher = suite.watcher(client)
    const lost = follow(watcher, prefixRange(prefix), first)
    const exact = follow(watcher, prefixRange(prefix), third)
    await eventually('both outcomes', () => lost.compactions.length === 1 && exact.revisions.length === 1)
    const after = follow(watcher, prefixRange(prefix), third + 1)
    await putNow(client, `elsewhere-${prefix}`)
    // Well before the silence of the stream would be noticed and the stream replaced.
    assert.ok((await watcher.sync(soon(3_000))) > third)
    assert.deepEqual([lost.revisions, exact.revisions, after.revisions], [[], [third], []])
  })

  test('sync resolves only when every watch has all that was committed before', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const watcher = suite.watcher(client)
    const start = await putNow(client, `${prefix}start`)
    const quiet = follow(watcher, prefixRange(`${prefix}quiet/`), start + 1)
    const seen = follow(watcher, prefixRange(prefix), start + 1)
    for (let round = 0; round < 20; round++) {
      const late = follow(watcher, prefixRange(prefix), start + 1)
      const revision = await putNow(client, `${prefix}${round}`)
      assert.ok((await watcher.sync(soon())) >= revision)
      assert.equal(seen.revisions.at(-1), revision)
      assert.equal(late.revisions.at(-1), revision, 'a watch that was only being created counts')
    }
    assert.deepEqual(quiet.revisions, [])
  })

  test('sync waits for a stream that is being resumed, and gives up with its signal', async () => {
    const { proxy, client: faulty } = await suite.faulty()
    const client = suite.client()
    const prefix = suite.prefix()
    const watcher = suite.watcher(faulty)
    const start = await putNow(client, `${prefix}start`)
    const seen = follow(watcher, prefixRange(prefix), start + 1)
    await watcher.sync(soon())
    proxy.cut()
    const revision = await putNow(client, `${prefix}a`)
    await eventually('sync', () => watcher.sync(soon()).catch(() => undefined))
    assert.deepEqual(seen.revisions, [revision])
    proxy.refuse()
    await assert.rejects(watcher.sync(soon(200)), { name: 'UnavailableError' })
  })

  test('5,000 watches are created and in step within seconds', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const watcher = suite.watcher(client)
    const start = await putNow(client, `${prefix}start`)
    const all = Array.from({ length: 5_000 }, (_, n) => follow(watcher, prefixRange(`${prefix}${n}/`), start + 1))
    const revision = await putNow(client, `${prefix}4999/a`)
    await watcher.sync(soon(60_000))
    assert.deepEqual(all[4_999]?.revisions, [revision])
    assert.equal(
      all.reduce((sum, { revisions }) => sum + revisions.length, 0),
      1,
    )
    for (const { close } of all) close()
  })

  test('a closed watch is told nothing more, whenever it was closed', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const watcher = suite.watcher(client)
    const start = await putNow(client, `${prefix}start`)
    const early = follow(watcher, prefixRange(prefix), start + 1)
    early.close()
    const open = follow(watcher, prefixRange(prefix), start + 1)
    await watcher.sync(soon())
    const late = follow(watcher, prefixRange(prefix), start + 1)
    await watcher.sync(soon())
    late.close()
    await putNow(client, `${prefix}a`)
    await watcher.sync(soon())
    assert.deepEqual([early.revisions.length, late.revisions.length, open.revisions.length], [0, 0, 1])
  })
})
