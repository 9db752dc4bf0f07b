import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCommitter } from '../../../src/etcd/committer.ts'
import { prefixRange } from '../../../src/etcd/kv.ts'
import type { Compare, Kv } from '../../../src/etcd/kv.ts'
import { describeEtcd, child, put, putNow, silent, soon } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'

describeEtcd('committer', (suite) => {
  const untouched = (prefix: string, observed: number): Compare => ({
    kind: 'modRevision',
    ...prefixRange(prefix),
    result: '<',
    revision: observed + 1,
  })

  test('services that arrive together share one revision, each with its own guard', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    const { committer } = await (await suite.replica(client, prefix)).lead()
    const foreign = await putNow(client, `${prefix}b/foreign`)
    const outcomes = await Promise.all([
      // Goes alone; the others ride together in the next.
      committer.commit(child('first', [put(`${prefix}first`)]), soon()),
      committer.commit(child('a', [put(`${prefix}a/1`)], [untouched(`${prefix}a/`, 0)]), soon()),
      committer.commit(
        child(
          'b',
          [put(`${prefix}b/1`)],
          [untouched(`${prefix}b/`, foreign - 1)],
          [{ kind: 'range', ...prefixRange(`${prefix}b/`), order: 'newest', limit: 1 }],
        ),
        soon(),
      ),
      committer.commit(child('c', [put(`${prefix}c/1`)], [untouched(`${prefix}c/`, 0)]), soon()),
    ])
    const [, a, b, c] = outcomes
    assert.ok(a.kind === 'committed' && c.kind === 'committed' && a.revision === c.revision)
    assert.ok(b.kind === 'conflict' && b.revision === a.revision && b.results?.[0]?.kind === 'range')
    assert.equal(b.results[0].entries[0]?.modRevision, foreign)
    assert.equal((await client.range({ key: `${prefix}b/1` }, soon())).count, 0)
  })

  test('4,096 ops of one service are one revision, guarded and fenced', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    const { committer } = await (await suite.replica(client, prefix)).lead()
    const ops = Array.from({ length: 4_096 }, (_, n) => put(`${prefix}big/${n}`, 'x'.repeat(60)))
    const refused = await committer.commit(
      child('big', ops, [{ kind: 'value', key: `${prefix}absent`, value: 'x' }]),
      soon(),
    )
    assert.equal(refused.kind, 'conflict')
    const outcome = await committer.commit(child('big', ops, [untouched(`${prefix}big/`, 0)]), soon())
    assert.equal(outcome.kind, 'committed')
    assert.equal((await client.range({ ...prefixRange(`${prefix}big/`), limit: 1 }, soon())).count, 4_096)
  })

  test('200 services at once take a few requests and all are answered', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    const { leadership } = await (await suite.replica(client, prefix)).lead()
    let requests = 0
    const kv: Kv = { ...client, txn: (txn, signal) => (requests++, client.txn(txn, signal)) }
    const committer = createCommitter({ kv, leadership, log: silent })
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, n) => {
        const ops = Array.from({ length: (n % 5) * 60 + 1 }, (__, i) => put(`${prefix}${n}/${i}`))
        return committer.commit(child(`s${n}`, ops, [untouched(`${prefix}${n}/`, 0)]), soon())
      }),
    )
    assert.ok(outcomes.every(({ kind }) => kind === 'committed'))
    assert.ok(requests <= 10, `${requests} requests`)
  })

  test('one refused service does not fail the others', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    const { committer } = await (await suite.replica(client, prefix)).lead()
    const cases = [
      ['lease-not-found', [put(`${prefix}lease`, 'v', 'dead2')]],
      ['duplicate-key', [put(`${prefix}twice`), put(`${prefix}twice`)]],
      ['request-too-large', [put(`${prefix}huge`, 'x'.repeat(1_600_000))]],
    ] as const
    for (const [code, ops] of cases) {
      const settled = await Promise.allSettled([
        committer.commit(child('first', [put(`${prefix}${code}/0`)]), soon()),
        committer.commit(child('good', [put(`${prefix}${code}/1`)]), soon()),
        committer.commit(child('bad', ops), soon()),
        committer.commit(child('fine', [put(`${prefix}${code}/2`)]), soon()),
      ])
      assert.deepEqual(
        settled.map((result) => (result.status === 'fulfilled' ? result.value.kind : result.reason.code)),
        ['committed', 'committed', code, 'committed'],
      )
    }
  })

  test('after an unknown outcome the leader key is bumped, and the delayed write can not commit any more', async () => {
    const prefix = suite.prefix()
    const { proxy, client } = await suite.faulty({ requestTimeoutMs: 1_500 })
    const direct = suite.client()
    const { leadership } = await (await suite.replica(direct, prefix)).lead()
    // Only the commit goes by the proxy; it is held back on its way to etcd until after the barrier.
    await client.status(soon())
    const kv: Kv = { ...direct, txn: (txn, signal) => client.txn(txn, signal) }
    const committer = createCommitter({ kv, leadership, log: silent })
    const before = leadership.fence
    proxy.pause('to-server')
    const outcome = await committer.commit(child('a', [put(`${prefix}k`)]), soon())
    assert.ok(outcome.kind === 'conflict' && outcome.results === null)
    assert.notDeepEqual(leadership.fence, before)
    proxy.resume()
    await putNow(direct, `${prefix}after`)
    await eventually('the held back request has arrived', () => client.status(soon()).catch(() => undefined))
    assert.equal((await direct.range({ key: `${prefix}k` }, soon())).count, 0)
    const again = await committer.commit(child('a', [put(`${prefix}k`)]), soon())
    assert.equal(again.kind, 'committed')
    assert.ok(again.revision > outcome.revision)
  })

  test('a reply that is lost after the write was applied is a conflict, to be read back', async () => {
    const prefix = suite.prefix()
    const { proxy, client } = await suite.faulty()
    const direct = suite.client()
    const { leadership } = await (await suite.replica(direct, prefix)).lead()
    const committer = createCommitter({
      kv: { ...direct, txn: (txn, signal) => client.txn(txn, signal) },
      leadership,
      log: silent,
    })
    await client.status(soon())
    proxy.pause('to-client')
    const committing = committer.commit(child('a', [put(`${prefix}k`)]), soon())
    const { entries } = await eventually('it is applied', async () => {
      const found = await direct.range({ key: `${prefix}k` }, soon())
      return found.count === 1 && found
    })
    proxy.cut()
    proxy.resume()
    const outcome = await committing
    assert.ok(outcome.kind === 'conflict' && outcome.revision > (entries[0]?.modRevision ?? Infinity))
  })

  test('a fence that failed with our nonce in place is a conflict', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    const { leadership, committer } = await (await suite.replica(client, prefix)).lead()
    const { entries } = await client.range({ key: `${prefix}leader` }, soon())
    const [leader] = entries
    assert.ok(leader)
    await putNow(client, `${prefix}leader`, leader.value.toString(), leader.lease)
    assert.equal((await committer.commit(child('a', [put(`${prefix}k`)]), soon())).kind, 'conflict')
    assert.equal((await committer.commit(child('a', [put(`${prefix}k`)]), soon())).kind, 'committed')
    assert.equal(leadership.lost.aborted, false)
  })

  test('another identity fences for good', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    const { leadership, committer } = await (await suite.replica(client, prefix)).lead()
    await putNow(client, `${prefix}identity`, '["another"]')
    assert.deepEqual(await committer.commit(child('a', [put(`${prefix}k`)]), soon()), { kind: 'fenced' })
    assert.equal(leadership.lost.aborted, true)
  })

  test('etcd away means definitely not applied', async () => {
    const prefix = suite.prefix()
    const { proxy, client } = await suite.faulty()
    const { leadership } = await (await suite.replica(suite.client(), prefix)).lead()
    const committer = createCommitter({ kv: client, leadership, log: silent })
    proxy.refuse()
    await assert.rejects(committer.commit(child('a', [put(`${prefix}k`)]), soon()), { name: 'UnavailableError' })
  })
})

describeEtcd(
  'committer with a smaller --max-txn-ops',
  (suite) => {
    test('limits are halved until they fit', async () => {
      const prefix = suite.prefix()
      const client = suite.client()
      const { committer } = await (await suite.replica(client, prefix)).lead()
      const many = Array.from({ length: 60 }, (_, n) =>
        committer.commit(child(`s${n}`, [put(`${prefix}${n}`)]), soon()),
      )
      const big = committer.commit(
        child(
          'big',
          Array.from({ length: 2_000 }, (_, n) => put(`${prefix}big/${n}`)),
        ),
        soon(),
      )
      for (const { kind } of await Promise.all([...many, big])) assert.equal(kind, 'committed')
    })
  },
  { extraArgs: ['--max-txn-ops=32'] },
)
