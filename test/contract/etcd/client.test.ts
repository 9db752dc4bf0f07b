import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RejectedError, TimeoutError, UnavailableError } from '../../../src/errors.ts'
import { createEtcdClient } from '../../../src/etcd/client.ts'
import { prefixRange } from '../../../src/etcd/kv.ts'
import type { Op, Txn } from '../../../src/etcd/kv.ts'
import { nest } from '../../../src/etcd/nest.ts'
import { describeEtcd, put, putNow, silent, soon } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'

const always = (success: readonly Op[]): Txn => ({ compare: [], success, failure: [] })

describeEtcd('client', (suite) => {
  test('status tells version, cluster and revision', async () => {
    const status = await suite.client().status(soon())
    assert.ok(status.version.startsWith(`${suite.etcd.version}.`))
    assert.match(status.clusterId, /^\d+$/)
    assert.ok(status.revision >= 1 && status.dbSizeBytes > 0 && status.leader !== '0')
  })

  test('a txn puts, ranges, deletes and answers each op in order', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const lease = 'f00dfeedface01'
    assert.equal(await client.leaseGrant(lease, 60, soon()), 60)
    const written = await client.txn(always([put(`${prefix}a`, 'äé', lease), put(`${prefix}b`)]), soon())
    assert.deepEqual(written.results, [{ kind: 'put' }, { kind: 'put' }])
    const { revision } = written.header

    const { results } = await client.txn(
      always([
        { kind: 'range', ...prefixRange(prefix), limit: 1 },
        { kind: 'delete', ...prefixRange(prefix) },
      ]),
      soon(),
    )
    const entry = {
      key: `${prefix}a`,
      value: Buffer.from('äé'),
      lease,
      createRevision: revision,
      modRevision: revision,
    }
    assert.deepEqual(results, [
      { kind: 'range', entries: [entry], count: 2, more: true },
      { kind: 'delete', deleted: 2, previous: [] },
    ])
  })

  test('every compare holds and fails as it says', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const key = `${prefix}k`
    const first = await putNow(client, key, 'one')
    const mod = await putNow(client, key, 'two')
    const holds = async (compare: Txn['compare'][number]) =>
      (await client.txn({ compare: [compare], success: [], failure: [] }, soon())).succeeded
    assert.equal(await holds({ kind: 'value', key, value: 'two' }), true)
    assert.equal(await holds({ kind: 'value', key, value: 'one' }), false)
    assert.equal(await holds({ kind: 'value', key: `${prefix}absent`, value: '' }), false)
    assert.equal(await holds({ kind: 'modRevision', key, result: '=', revision: mod }), true)
    assert.equal(await holds({ kind: 'modRevision', key, result: '>', revision: mod }), false)
    assert.equal(await holds({ kind: 'modRevision', ...prefixRange(prefix), result: '<', revision: mod + 1 }), true)
    assert.equal(await holds({ kind: 'modRevision', ...prefixRange(prefix), result: '<', revision: mod }), false)
    assert.equal(await holds({ kind: 'modRevision', ...prefixRange(`${prefix}none/`), result: '<', revision: 1 }), true)
    assert.equal(await holds({ kind: 'createRevision', key, result: '=', revision: first }), true)
    assert.equal(await holds({ kind: 'createRevision', key: `${prefix}absent`, result: '=', revision: 0 }), true)
  })

  test('range pages at a fixed revision, and gives the newest first', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    for (const name of ['b', 'a', 'c']) await putNow(client, prefix + name, name)
    const { header, entries } = await client.range({ ...prefixRange(prefix), limit: 2 }, soon())
    await putNow(client, `${prefix}d`)
    const rest = await client.range(
      { ...prefixRange(prefix), key: `${prefix}b\0`, revision: header.revision, limit: 2 },
      soon(),
    )
    assert.deepEqual(
      [...entries, ...rest.entries].map(({ key }) => key.slice(prefix.length)),
      ['a', 'b', 'c'],
    )
    assert.equal(rest.more, false)
    const newest = await client.range({ ...prefixRange(prefix), order: 'newest', limit: 1, keysOnly: true }, soon())
    assert.deepEqual(
      newest.entries.map(({ key, value }) => [key, value.length]),
      [[`${prefix}d`, 0]],
    )
  })

  for (const [width, levels] of [
    [64, 2],
    [16, 3],
  ] as const) {
    test(`4,096 ops nested ${levels} deep are one revision`, async () => {
      const client = suite.client()
      const prefix = suite.prefix()
      const ops = Array.from({ length: 4_096 }, (_, index) => put(`${prefix}${index}`, 'x'.repeat(60)))
      const { header, succeeded } = await client.txn(always(nest(ops, width)), soon())
      assert.equal(succeeded, true)
      const { count, entries } = await client.range({ ...prefixRange(prefix), limit: 10 }, soon())
      assert.equal(count, 4_096)
      assert.deepEqual(new Set(entries.map(({ modRevision }) => modRevision)), new Set([header.revision]))
    })
  }

  test('a refusal has a stable code', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const revision = await putNow(client, `${prefix}k`)
    const big = 'x'.repeat(1_000_000)
    const cases: readonly (readonly [code: string, attempt: () => Promise<unknown>])[] = [
      [
        'too-many-operations',
        () => client.txn(always(Array.from({ length: 129 }, (_, i) => put(`${prefix}${i}`))), soon()),
      ],
      ['duplicate-key', () => client.txn(always([put(`${prefix}x`), put(`${prefix}x`)]), soon())],
      [
        'duplicate-key',
        () => client.txn(always([put(`${prefix}x`), { kind: 'txn', txn: always([put(`${prefix}x`)]) }]), soon()),
      ],
      ['lease-not-found', () => putNow(client, `${prefix}x`, 'v', 'dead1ea5e')],
      ['request-too-large', () => client.txn(always([put(`${prefix}1`, big), put(`${prefix}2`, big)]), soon())],
      ['request-too-large', () => client.txn(always([1, 2, 3, 4].map((n) => put(`${prefix}${n}`, big))), soon())],
      ['future-revision', () => client.range({ key: prefix, revision: revision + 1_000_000 }, soon())],
      ['lease-ttl-too-large', () => client.leaseGrant('1', 9_000_000_001, soon())],
    ]
    for (const [code, attempt] of cases) {
      await assert.rejects(attempt, (error) => error instanceof RejectedError && error.code === code, code)
    }
  })

  test('a compacted revision is refused with its own code', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    const old = await putNow(client, `${prefix}k`)
    const now = await putNow(client, `${prefix}k`)
    await suite.etcd.etcdctl('compaction', String(now))
    await assert.rejects(client.range({ key: `${prefix}k`, revision: old }, soon()), { code: 'compacted' })
  })

  test('granting a lease twice is success, and its ID keeps all 63 bits', async () => {
    const client = suite.client()
    assert.equal(await client.leaseGrant('7fffffffffffffff', 100, soon()), 100)
    assert.equal(await client.leaseGrant('7fffffffffffffff', 50, soon()), 100)
    assert.match(await suite.etcd.etcdctl('lease', 'list'), /7fffffffffffffff/)
  })

  test('a txn whose reply is cut off has an unknown outcome', async () => {
    const { proxy, client } = await suite.faulty()
    const prefix = suite.prefix()
    await putNow(client, `${prefix}warm`)
    proxy.pause('to-client')
    const outcome = assert.rejects(putNow(client, `${prefix}k`), TimeoutError)
    const direct = suite.client()
    await eventually(
      'the write was applied',
      async () => (await direct.range({ key: `${prefix}k` }, soon())).count === 1,
    )
    proxy.cut()
    proxy.resume()
    await outcome
  })

  test('a server that is not there means definitely not applied', async () => {
    const { proxy, client } = await suite.faulty()
    proxy.refuse()
    await assert.rejects(putNow(client, `${suite.prefix()}k`), UnavailableError)
    proxy.accept()
    await eventually('it heals', () => putNow(client, `${suite.prefix()}k`).catch(() => undefined))
  })

  test('a dead connection is replaced after one deadline', async () => {
    const { proxy, client } = await suite.faulty({ requestTimeoutMs: 1_500 })
    const prefix = suite.prefix()
    await putNow(client, `${prefix}warm`)
    const before = proxy.connections
    proxy.pause()
    await assert.rejects(putNow(client, `${prefix}k`), TimeoutError)
    // Only what is new passes: the old connection stays as dead as it is.
    proxy.cut()
    proxy.resume()
    await putNow(client, `${prefix}k2`)
    assert.equal(before, 1)
  })

  test('the next endpoint is used when one is not there', async () => {
    const { proxy, client: unused } = await suite.faulty()
    unused.close()
    const client = suite.client({ endpoints: [`http://127.0.0.1:${proxy.port}`, suite.etcd.endpoint] })
    await client.status(soon())
    proxy.refuse()
    await eventually('the other endpoint answers', () => client.status(soon()).catch(() => undefined), 5_000)
  })

  test('an aborted call ends at once, before and after it was sent', async () => {
    const { proxy, client } = await suite.faulty()
    await client.status(soon())
    await assert.rejects(client.status(AbortSignal.abort()), { code: 'aborted', name: 'UnavailableError' })
    proxy.pause()
    await assert.rejects(client.txn(always([put('k')]), AbortSignal.timeout(50)), {
      code: 'aborted',
      name: 'TimeoutError',
    })
    proxy.resume()
  })

  test('a closed client refuses', async () => {
    const client = suite.client()
    client.close()
    await assert.rejects(client.status(soon()), { code: 'closed' })
  })
})

describeEtcd(
  'a full store',
  (suite) => {
    test('NOSPACE is a refusal and heals with space', async () => {
      const client = suite.client()
      const fill = async () => {
        for (let n = 0; n < 100; n++) await putNow(client, `fill/${n}`, 'x'.repeat(500_000))
      }
      await assert.rejects(fill(), (error) => error instanceof RejectedError && error.code === 'no-space')
      const { header } = await client.range({ key: 'fill' }, soon())
      await suite.etcd.etcdctl('compaction', '--physical', String(header.revision))
      await suite.etcd.etcdctl('defrag')
      await suite.etcd.etcdctl('alarm', 'disarm')
      await client.txn(always([{ kind: 'delete', ...prefixRange('fill/') }]), soon())
    })
  },
  { extraArgs: ['--quota-backend-bytes=8000000'] },
)

describe('client without a server', () => {
  test('a file that can not be read is named', async () => {
    const client = createEtcdClient({
      endpoints: ['https://127.0.0.1:1'],
      caFile: '/no/such/ca.pem',
      requestTimeoutMs: 100,
      log: silent,
    })
    await assert.rejects(client.status(soon()), { name: 'ConfigError', target: '/no/such/ca.pem' })
    client.close()
  })
})
