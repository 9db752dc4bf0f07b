/** The operator goes away and comes back: what is right stays to the last revision (S8, S12, S16), and what changed meanwhile is caught up. */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import type { Namespace } from '../support/kubernetes.ts'
import { describeOperator } from '../support/operator-suite.ts'
import { recordsOf } from '../support/recorder-laws.ts'

const labels = { app: 'ledger' }
const spec = { pods: { selector: { matchLabels: labels }, port: 'grpc' } }
const addresses = ['10.0.0.1:50051', '10.0.0.2:50051', '10.20.3.7:50051']

describeOperator('the operator restarts', (suite) => {
  let scene: Namespace
  let target: string
  let mark: number
  let uid: string
  let recordKey: string

  beforeEach(async () => {
    scene = await suite.scene()
    target = `${scene.name}/ledger`
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    uid = (await scene.service('ledger', spec)).metadata.uid
    recordKey = `_grpcetcd/default/services/${uid}`
    await scene.endpoint('vm', { serviceRef: { name: 'ledger' }, address: '10.20.3.7:50051' })
    await suite.recorder.untilAddresses(target, addresses)
    await scene.untilRegistered('ledger', addresses.length)
    mark = await suite.settled()
  })

  /** What became of the service's keys and Record since the test began, revision by revision. */
  const touched = (): readonly (readonly string[])[] =>
    suite.recorder
      .since(mark)
      .map(({ events }) => events.filter(({ key }) => key.startsWith(`${target}/`) || key === recordKey))
      .map((events) => events.map(({ kind, key }) => `${kind} ${key}`))
      .filter((events) => events.length > 0)

  const ends = [
    { name: 'SIGTERM', end: async () => assert.deepEqual(await suite.operator.terminate(), { code: 0, signal: null }) },
    { name: 'SIGKILL', end: async () => suite.operator.kill() },
  ] as const
  for (const { name, end } of ends) {
    test(`a restart after ${name} writes no endpoint key, no Record and no status (S8, S12, S16)`, async () => {
      const before = suite.recorder.under(target)
      const { resourceVersion } = (await scene.get('grpcservices', 'ledger')).metadata
      await end()
      await suite.replace()
      await suite.settled()
      assert.deepEqual(touched(), [])
      assert.deepEqual(suite.recorder.under(target), before)
      assert.equal((await scene.get('grpcservices', 'ledger')).metadata.resourceVersion, resourceVersion)
    })
  }

  test('SIGTERM deletes the leader key and nothing else (S16)', async () => {
    await suite.operator.terminate()
    await suite.recorder.mark()
    const events = suite.recorder.since(mark).flatMap((revision) => revision.events)
    assert.deepEqual(
      events.map(({ kind, key }) => `${kind} ${key}`),
      ['delete _grpcetcd/default/leader'],
    )
    await suite.replace()
  })

  test('Pods that changed while it was away are caught up in one revision, the rest stays (S7, S8)', async () => {
    await suite.operator.terminate()
    await scene.pod('c', { labels, ips: ['10.0.0.3'] })
    await scene.setPod('b', { ready: false })
    await suite.replace()
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.3:50051', '10.20.3.7:50051'])
    assert.deepEqual(
      touched().map((events) => events.toSorted()),
      [[`delete ${target}/10.0.0.2:50051`, `put ${target}/10.0.0.3:50051`]],
    )
  })

  test('a service deleted while it was away goes in one revision, keys and Record', async () => {
    await suite.operator.terminate()
    await scene.delete('grpcservices', 'ledger')
    await suite.replace()
    await suite.recorder.untilAddresses(target, [])
    await suite.settled()
    const [only, ...more] = touched()
    assert.deepEqual(more, [])
    assert.deepEqual(only?.toSorted(), [
      `delete ${recordKey}`,
      ...addresses.map((address) => `delete ${target}/${address}`),
    ])
  })

  const absences = [
    {
      name: 'while the operator was away',
      around: async (change: () => Promise<void>) => {
        await suite.operator.terminate()
        await change()
        await suite.replace()
      },
    },
    {
      name: 'before a live operator could look',
      around: async (change: () => Promise<void>) => {
        suite.operator.pause()
        await change()
        suite.operator.resume()
      },
    },
  ] as const
  for (const { name, around } of absences) {
    test(`a service deleted and created again ${name} takes over the leases; no key moves (Succession, S8)`, async () => {
      const before = suite.recorder.under(target)
      const leases = recordsOf(suite.recorder.entries).get(uid)?.leases
      await around(async () => {
        await scene.delete('grpcservices', 'ledger')
        await scene.service('ledger', spec)
      })
      const { metadata } = await scene.until('grpcservices', 'ledger', 'Ready=True')
      await suite.settled()
      assert.deepEqual(suite.recorder.under(target), before)
      assert.deepEqual(touched(), [[`delete ${recordKey}`]])
      const records = recordsOf(suite.recorder.entries)
      assert.deepEqual(records.get(metadata.uid)?.leases, leases)
      assert.equal(records.get(uid), undefined)
      const [succession] = suite.recorder
        .since(mark, '_grpcetcd/default/services/')
        .filter(({ events }) => events.length === 2)
      assert.deepEqual(succession?.events.map(({ kind }) => kind).toSorted(), ['delete', 'put'])
    })
  }

  test('a service of another name on the same target takes over too', async () => {
    const before = suite.recorder.under(target)
    await scene.delete('grpcendpoints', 'vm')
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.2:50051'])
    suite.operator.pause()
    await scene.delete('grpcservices', 'ledger')
    await scene.service('books', { ...spec, target })
    suite.operator.resume()
    await scene.until('grpcservices', 'books', 'Ready=True')
    await suite.settled()
    assert.deepEqual(suite.recorder.under(target), before.slice(0, 2))
  })

  test('away for longer than the lease: the endpoints are gone, and all come back in one revision (L5)', async () => {
    await scene.patch('grpcservices', 'ledger', { spec: { leaseDurationSeconds: 10 } })
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    await suite.operator.kill()
    mark = await suite.recorder.mark()
    await suite.recorder.untilAddresses(target, [], 30_000)
    await suite.replace()
    await suite.recorder.untilAddresses(target, addresses)
    await suite.settled()
    const words = touched().map((events) => events.map((event) => event.split(' ')[0]))
    assert.deepEqual(words, [
      ['delete', 'delete', 'delete'],
      ['put', 'put', 'put', 'put'],
    ])
  })
})
