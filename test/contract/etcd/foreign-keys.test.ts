import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prefixRange } from '../../../src/etcd/kv.ts'
import type { KvEvent } from '../../../src/etcd/kv.ts'
import { createLoader, readRange } from '../../../src/etcd/loader.ts'
import { describeEtcd, put, putNow, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'

/** What etcd itself says that it has under a prefix. */
async function keysInHex(suite: EtcdSuite, prefix: string): Promise<readonly string[]> {
  const printed = await suite.etcd.etcdctl('get', '--prefix', '--keys-only', '--hex', prefix)
  return printed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.slice(4 * prefix.length))
}

describeEtcd('keys that are not UTF-8', (suite) => {
  test('each is a key of its own, and can be read and deleted', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const names = ['\udc80', 'é', '\udcff']
    for (const name of names) await putNow(client, prefix + name, name)
    assert.deepEqual(await keysInHex(suite, prefix), ['\\x80', '\\xc3\\xa9', '\\xff'])
    const { entries } = await readRange(client, prefixRange(prefix), soon())
    assert.deepEqual(
      entries.map(({ key }) => key),
      names.map((name) => prefix + name),
    )
    await client.txn({ compare: [], success: [{ kind: 'delete', key: `${prefix}\udc80` }], failure: [] }, soon())
    assert.deepEqual(await keysInHex(suite, prefix), ['\\xc3\\xa9', '\\xff'])
  })

  test('a watch tells which of them changed', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const seen: KvEvent[] = []
    const start = await putNow(client, `${prefix}\udc80`)
    await putNow(client, `${prefix}\udcff`)
    suite.watcher(client).watch({
      range: prefixRange(prefix),
      startRevision: start,
      onEvents: (events) => seen.push(...events),
      onCompacted: () => assert.fail('nothing was compacted'),
      onStoreChanged: () => assert.fail('nothing was replaced'),
    })
    await client.txn({ compare: [], success: [{ kind: 'delete', key: `${prefix}\udc80` }], failure: [] }, soon())
    await eventually('three events', () => seen.length === 3)
    assert.deepEqual(
      seen.map((event) => (event.kind === 'put' ? event.entry.key : `deleted ${event.key}`)),
      [`${prefix}\udc80`, `${prefix}\udcff`, `deleted ${prefix}\udc80`],
    )
  })

  test('a page that ends with one is followed by all that comes after it', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    // 500 entries fit in the Txn of a load.
    const names = [
      ...Array.from({ length: 499 }, (_, n) => `a${String(n).padStart(3, '0')}`),
      '\udc80',
      '\udc81',
      'é',
      '\udcff',
    ]
    for (let at = 0; at < names.length; at += 100) {
      const success = names.slice(at, at + 100).map((name) => put(prefix + name))
      await client.txn({ compare: [], success, failure: [] }, soon())
    }
    const { entries } = await createLoader(client).load(prefixRange(prefix), soon())
    assert.deepEqual(
      entries.map(({ key }) => key),
      names.map((name) => prefix + name),
    )
  })
})
