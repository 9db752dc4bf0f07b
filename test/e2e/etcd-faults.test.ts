/** etcd restarts, goes away, is compacted, loses leases: the endpoints heal without help (L1, L6, L8) and nothing else moves (S8). */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { eventually } from '../support/eventually.ts'
import type { Namespace } from '../support/kubernetes.ts'
import { describeOperator } from '../support/operator-suite.ts'
import { recordsOf } from '../support/recorder-laws.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const labels = { app: 'ledger' }
const spec = { pods: { selector: { matchLabels: labels }, port: 'grpc' } }
const two = ['10.0.0.1:50051', '10.0.0.2:50051']

describeOperator('the operator and a faulty etcd', (suite) => {
  let scene: Namespace
  let target: string

  /** Two Pods and their service. @returns the mark after they were published */
  async function publish(): Promise<number> {
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    await scene.service('ledger', spec)
    await suite.recorder.untilAddresses(target, two)
    return suite.settled()
  }
  beforeEach(async () => {
    scene = await suite.scene()
    target = `${scene.name}/ledger`
  })
  const eventsSince = (mark: number): readonly (readonly string[])[] =>
    suite.recorder
      .since(mark, `${target}/`)
      .map(({ events }) => events.map(({ kind, key }) => `${kind} ${key.slice(target.length + 1)}`).toSorted())

  const outages = [
    { name: 'a restart', awayMs: 0 },
    // Longer than the election TTL: leadership is lost with it.
    { name: 'an absence of six seconds', awayMs: 6_000 },
  ]
  for (const { name, awayMs } of outages) {
    test(`what changed during ${name} of etcd is one revision afterwards; the rest stays (S8, L1)`, async () => {
      const mark = await publish()
      await suite.etcd.kill()
      await scene.pod('c', { labels, ips: ['10.0.0.3'] })
      await scene.delete('pods', 'b')
      await delay(awayMs)
      await suite.etcd.restart()
      await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.3:50051'], 15_000)
      await suite.settled()
      assert.deepEqual(eventsSince(mark), [['delete 10.0.0.2:50051', 'put 10.0.0.3:50051']])
    })
  }

  test('a lease revoked by hand: its keys are back in one revision, on a new lease that the Record names (L6, S11)', async () => {
    const mark = await publish()
    const { metadata } = await scene.get('grpcservices', 'ledger')
    const [lost] = recordsOf(suite.recorder.entries).get(metadata.uid)?.leases ?? []
    assert.ok(lost !== undefined)
    await suite.etcd.etcdctl('lease', 'revoke', lost)
    const revokedAtMs = performance.now()
    await eventually('the keys are gone and back', () => {
      return eventsSince(mark).length >= 2 && suite.recorder.addresses(target).length === 2
    })
    assert.ok(performance.now() - revokedAtMs < 5_000)
    await suite.settled()
    assert.deepEqual(eventsSince(mark), [
      two.map((address) => `delete ${address}`),
      two.map((address) => `put ${address}`),
    ])
    const [lease] = suite.recorder.under(target).map((entry) => entry.lease)
    assert.notEqual(lease, lost)
    assert.deepEqual(recordsOf(suite.recorder.entries).get(metadata.uid)?.leases, [lease])
  })

  test('the leader key deleted by hand: it is won again, and no endpoint moves', async () => {
    const mark = await publish()
    await suite.etcd.etcdctl('del', '_grpcetcd/default/leader')
    await eventually('somebody leads', () => suite.recorder.since(mark, '_grpcetcd/default/leader').length >= 2)
    await scene.pod('c', { labels, ips: ['10.0.0.3'] })
    await suite.recorder.untilAddresses(target, [...two, '10.0.0.3:50051'])
    assert.deepEqual(eventsSince(mark), [['put 10.0.0.3:50051']])
  })

  const cuts = [
    { name: 'cut off', begin: 'refuse', end: 'accept' },
    { name: 'connected to silence', begin: 'pause', end: 'resume' },
  ] as const
  for (const { name, begin, end } of cuts) {
    test(`compaction while the operator is ${name} loses nothing (L1, S6, S8)`, async () => {
      await suite.operator.terminate()
      const proxy = await startTcpProxy(suite.etcd.port)
      const operator = await suite.replace({ etcdEndpoint: `http://127.0.0.1:${proxy.port}` })
      const mark = await publish()
      proxy[begin]()
      await scene.pod('c', { labels, ips: ['10.0.0.3'] })
      await suite.etcd.etcdctl('del', `${target}/10.0.0.1:50051`)
      await suite.etcd.etcdctl('put', `${target}/10.9.9.9:1`, 'foreign')
      await suite.etcd.etcdctl('compact', String(await suite.recorder.mark()))
      proxy[end]()
      // Sooner than a silent stream would be noticed: nothing may wait for that.
      await suite.recorder.untilAddresses(target, [...two, '10.0.0.3:50051', '10.9.9.9:1'], 7_000)
      await suite.settled()
      assert.deepEqual(eventsSince(mark), [
        ['delete 10.0.0.1:50051'],
        ['put 10.9.9.9:1'],
        ['put 10.0.0.1:50051', 'put 10.0.0.3:50051'],
      ])
      await operator.terminate()
      await proxy.close()
      await suite.replace()
    })
  }
})
