/** Large services: one revision up to 4,096 changes, and above that never fewer endpoints than before (S7); leases of 250 keys (S11). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Namespace } from '../support/kubernetes.ts'
import { describeOperator } from '../support/operator-suite.ts'
import { KEYS_PER_LEASE, recordsOf } from '../support/recorder-laws.ts'

/** Created at once, as many as the API server likes to have in flight. */
async function createPods(scene: Namespace, count: number, label: string, dualStack: boolean): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) {
      const host = `${i >> 8}.${i & 255}`
      const ips = dualStack ? [`10.1.${host}`, `2001:db8::${i.toString(16)}`] : [`10.1.${host}`]
      await scene.pod(`${label}-${i}`, { labels: { app: label }, ips })
    }
  }
  await Promise.all(Array.from({ length: 16 }, work))
}

describeOperator('the operator publishes large services', (suite) => {
  test('a selector that adds 300 endpoints is one revision, on two leases named in the Record (S7, S11)', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    const { metadata } = await scene.service('ledger', {
      pods: { selector: { matchLabels: { app: 'nobody' } }, port: 50051 },
    })
    await createPods(scene, 300, 'blue', false)
    const mark = await suite.settled()

    await scene.patch('grpcservices', 'ledger', { spec: { pods: { selector: { matchLabels: { app: 'blue' } } } } })
    const ready = await scene.until('grpcservices', 'ledger', 'Ready=True')
    assert.deepEqual(ready.status.endpoints, { desired: 300, registered: 300 })
    await suite.settled()
    assert.deepEqual(
      suite.recorder.since(mark, `${target}/`).map(({ events }) => events.length),
      [300],
    )
    const leases = new Set(suite.recorder.under(target).map(({ lease }) => lease))
    assert.equal(leases.size, Math.ceil(300 / KEYS_PER_LEASE))
    const record = recordsOf(suite.recorder.entries).get(metadata.uid)
    assert.deepEqual(new Set(record?.leases), leases)

    await scene.patch('grpcservices', 'ledger', { spec: { pods: { selector: { matchLabels: { app: 'nobody' } } } } })
    await suite.recorder.untilAddresses(target, [])
    await suite.settled()
    assert.deepEqual(
      suite.recorder.since(mark, `${target}/`).map(({ events }) => events.length),
      [300, 300],
    )
  })

  test('5,000 endpoints that take the place of 5,000 others are all there before the first old one goes (S7, S11)', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    const total = 5000
    // Two addresses a Pod, and another port makes other endpoints of all of them.
    const pods = { selector: { matchLabels: { app: 'blue' } }, port: 50051, ipFamily: 'All' }
    await createPods(scene, total / 2, 'blue', true)
    await scene.service('ledger', { pods })
    await scene.untilRegistered('ledger', total, 30_000)
    const old = new Set(suite.recorder.under(target).map(({ key }) => key))
    assert.equal(old.size, total)
    const mark = await suite.settled()

    await scene.patch('grpcservices', 'ledger', { spec: { pods: { port: 50052 } } })
    const ready = await scene.until('grpcservices', 'ledger', 'Ready=True', 30_000)
    assert.deepEqual(ready.status.endpoints, { desired: total, registered: total })
    await suite.settled()

    let present = total
    let added = 0
    const seen = suite.recorder.since(mark, `${target}/`)
    for (const { events } of seen) {
      for (const { kind, key } of events) {
        if (kind === 'put') {
          assert.ok(!old.has(key), 'an old key was put again')
          added += 1
          present += 1
        } else {
          assert.equal(added, total, 'an old endpoint went before every new one was there')
          present -= 1
        }
      }
      assert.ok(present >= total, 'fewer endpoints than before')
    }
    assert.equal(present, total)
    assert.ok(seen.length <= 5, `${seen.length} revisions where ceil(10,000 / 4,096) + 1 do`)
    assert.ok(suite.recorder.under(target).every(({ key }) => key.endsWith(':50052')))
    const leases = new Set(suite.recorder.under(target).map(({ lease }) => lease))
    assert.ok(leases.size <= total / KEYS_PER_LEASE + 1, `${leases.size} leases`)
  })
})
