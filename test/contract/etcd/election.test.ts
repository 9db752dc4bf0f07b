import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError } from '../../../src/errors.ts'
import { ensureIdentity } from '../../../src/etcd/identity.ts'
import { describeEtcd, child, put, putNow, soon } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'

describeEtcd('election', (suite) => {
  test('the identity binds a state prefix to one cluster, and names both when refused', async () => {
    const client = suite.client()
    const prefix = suite.prefix()
    assert.equal(await ensureIdentity(client, prefix, 'uid-1', soon()), '["uid-1"]')
    assert.equal(await ensureIdentity(client, prefix, 'uid-1', soon()), '["uid-1"]')
    await assert.rejects(ensureIdentity(client, prefix, 'uid-2', soon()), (error) => {
      assert.ok(error instanceof ConfigError)
      return error.code === 'identity-mismatch' && error.message.includes('uid-1') && error.message.includes('uid-2')
    })
  })

  test('of two campaigners one leads, and the other within milliseconds after a resignation', async () => {
    const prefix = suite.prefix()
    const [one, two] = [await suite.replica(suite.client(), prefix), await suite.replica(suite.client(), prefix)]
    const first = await one.lead()
    const waiting = two.lead()
    const won = { second: false }
    void waiting.then(() => (won.second = true))
    await putNow(suite.client(), `${prefix}unrelated`)
    assert.equal(won.second, false)
    const resignedAtMs = performance.now()
    await first.leadership.resign(soon())
    const second = await waiting
    assert.ok(performance.now() - resignedAtMs < 1_000)
    assert.ok(second.leadership.wonAt > first.leadership.wonAt)
    assert.equal(first.leadership.lost.aborted, true)
    assert.equal(second.leadership.lost.aborted, false)
  })

  test('who lost it leads again at once, although the key of its own last reign still has its lease', async () => {
    const replica = await suite.replica(suite.client(), suite.prefix())
    const first = await replica.lead()
    first.leadership.abandon('for the test')
    const abandonedAtMs = performance.now()
    const second = await replica.lead()
    assert.ok(performance.now() - abandonedAtMs < 1_000)
    assert.ok(second.leadership.wonAt > first.leadership.wonAt)
    const late = await first.committer.commit(child('late', [put(`${suite.prefix()}late`)]), soon())
    assert.equal(late.kind, 'fenced')
  })

  test('a deposed leader can not write, even before it knows', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    const { leadership, committer } = await (await suite.replica(client, prefix)).lead()
    const fence = leadership.fence
    // What a successor does, in one step: the old leader learns of it later than etcd.
    await client.txn({ compare: [], success: [put(`${prefix}leader`, '["another"]')], failure: [] }, soon())
    const late = await client.txn({ compare: fence, success: [put(`${prefix}k`)], failure: [] }, soon())
    assert.equal(late.succeeded, false)
    assert.deepEqual(await committer.commit(child('a', [put(`${prefix}k`)]), soon()), { kind: 'fenced' })
    assert.equal(leadership.lost.aborted, true)
    assert.equal((await client.range({ key: `${prefix}k` }, soon())).count, 0)
  })

  test('a leader whose key goes, or whose lease ends, learns it', async () => {
    const client = suite.client()
    for (const end of [
      (prefix: string) => suite.etcd.etcdctl('del', `${prefix}leader`),
      async (prefix: string) => {
        const { entries } = await client.range({ key: `${prefix}leader` }, soon())
        return suite.etcd.etcdctl('lease', 'revoke', entries[0]?.lease ?? '')
      },
    ]) {
      const prefix = suite.prefix()
      const { leadership } = await (await suite.replica(client, prefix)).lead()
      await end(prefix)
      await eventually('lost', () => leadership.lost.aborted)
    }
  })

  test('a leader that is cut off gives up before its lease can end, and a standby leads soon after', async () => {
    const prefix = suite.prefix()
    const { proxy, client } = await suite.faulty()
    const { leadership } = await (await suite.replica(client, prefix)).lead()
    const standby = (await suite.replica(suite.client(), prefix)).lead()
    const cutAtMs = performance.now()
    proxy.refuse()
    const order: string[] = []
    leadership.lost.addEventListener('abort', () => order.push('lost'))
    await standby.then(() => order.push('won'))
    assert.deepEqual(order, ['lost', 'won'])
    // L4: election TTL (2 s here) + 1 s, and etcd's own second of granularity.
    assert.ok(performance.now() - cutAtMs < 4_500, `${performance.now() - cutAtMs} ms`)
  })

  test('a leader key without a lease is removed', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    await putNow(client, `${prefix}leader`, 'somebody')
    const { leadership } = await (await suite.replica(client, prefix)).lead()
    assert.equal(leadership.lost.aborted, false)
  })

  test('a campaign whose reply was lost is won all the same', async () => {
    const prefix = suite.prefix()
    const { proxy, client } = await suite.faulty()
    const direct = suite.client()
    const replica = await suite.replica(
      {
        ...client,
        txn: async (txn, signal) => {
          if (txn.success[0]?.kind === 'put' && txn.success[0].key === `${prefix}leader` && proxy.connections > 0)
            lose()
          return client.txn(txn, signal)
        },
      },
      prefix,
    )
    let lost = false
    const lose = () => {
      if (lost) return
      lost = true
      proxy.pause('to-client')
      void loseReply()
    }
    const loseReply = async () => {
      await eventually('etcd has it', async () => (await direct.range({ key: `${prefix}leader` }, soon())).count === 1)
      proxy.cut()
      proxy.resume()
    }
    const { leadership } = await replica.lead()
    assert.equal(lost, true)
    const { entries } = await direct.range({ key: `${prefix}leader` }, soon())
    assert.equal(entries[0]?.modRevision, leadership.wonAt)
    assert.equal(entries[0]?.createRevision, leadership.wonAt)
  })

  test('bump moves the token, so that what was on its way can not commit', async () => {
    const prefix = suite.prefix()
    const client = suite.client()
    const { leadership } = await (await suite.replica(client, prefix)).lead()
    const delayed = leadership.fence
    const token = await leadership.bump(soon())
    assert.ok(token !== null && token > leadership.wonAt)
    assert.equal(
      (await client.txn({ compare: delayed, success: [put(`${prefix}k`)], failure: [] }, soon())).succeeded,
      false,
    )
    assert.equal(
      (await client.txn({ compare: leadership.fence, success: [put(`${prefix}k`)], failure: [] }, soon())).succeeded,
      true,
    )
  })

  test('a campaign ends with its signal', async () => {
    const prefix = suite.prefix()
    const one = await suite.replica(suite.client(), prefix)
    await one.lead()
    const two = await suite.replica(suite.client(), prefix)
    await assert.rejects(two.election.campaign(soon(100)), { code: 'aborted', name: 'UnavailableError' })
  })

  test('a leader knows whether another could take over: who campaigns says so, and the winner no longer does (L12)', async () => {
    const prefix = suite.prefix()
    const one = await (await suite.replica(suite.client(), prefix)).lead()
    assert.equal(await one.leadership.hasCandidates(soon()), false)
    const two = (await suite.replica(suite.client(), prefix)).lead()
    await eventually('a candidate is seen', async () => one.leadership.hasCandidates(soon()))
    await one.leadership.resign(soon())
    const { leadership } = await two
    assert.equal(await leadership.hasCandidates(soon()), false)
  })

  test('a candidate that gives up is none any more within its TTL', async () => {
    const prefix = suite.prefix()
    const { leadership } = await (await suite.replica(suite.client(), prefix)).lead()
    const givingUp = new AbortController()
    const campaign = (await suite.replica(suite.client(), prefix)).election.campaign(givingUp.signal)
    await eventually('a candidate is seen', async () => leadership.hasCandidates(soon()))
    givingUp.abort()
    await assert.rejects(campaign, { code: 'aborted' })
    await eventually('it is gone', async () => !(await leadership.hasCandidates(soon())))
  })
})
