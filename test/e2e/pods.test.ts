/** Pods come, change and go; the endpoints of their service follow, one revision a change (S7), and nothing else moves (S8). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Namespace } from '../support/kubernetes.ts'
import { describeOperator } from '../support/operator-suite.ts'

const labels = { app: 'ledger' }
const ledger = { pods: { selector: { matchLabels: labels }, port: 'grpc' } }

describeOperator('the operator publishes Pods', (suite) => {
  interface Case {
    readonly name: string
    readonly change: (scene: Namespace) => Promise<unknown>
    /** Host parts of the addresses afterwards. The case begins with 10.0.0.1 (pod a) and 10.0.0.2 (pod b). */
    readonly want: readonly string[]
    readonly events: readonly string[]
  }
  const cases: readonly Case[] = [
    {
      name: 'a Pod that becomes ready is put',
      change: async (scene) => {
        await scene.pod('c', { labels, ips: ['10.0.0.3'], ready: false })
        await scene.setPod('c', { ready: true })
      },
      want: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
      events: ['put 10.0.0.3'],
    },
    {
      name: 'a Pod that stops being ready is deleted',
      change: async (scene) => scene.setPod('b', { ready: false }),
      want: ['10.0.0.1'],
      events: ['delete 10.0.0.2'],
    },
    {
      name: 'a Pod that is gone is deleted',
      change: async (scene) => scene.delete('pods', 'b'),
      want: ['10.0.0.1'],
      events: ['delete 10.0.0.2'],
    },
    {
      name: 'a Pod that begins to terminate is deleted though it is still ready',
      change: async (scene) => scene.delete('pods', 'b', 30),
      want: ['10.0.0.1'],
      events: ['delete 10.0.0.2'],
    },
    {
      name: 'a Pod whose labels no longer match is deleted',
      change: async (scene) => scene.patch('pods', 'b', { metadata: { labels: { app: 'audit' } } }),
      want: ['10.0.0.1'],
      events: ['delete 10.0.0.2'],
    },
    {
      name: 'a Pod that gets the labels is put',
      change: async (scene) => {
        await scene.pod('c', { labels: { app: 'audit' }, ips: ['10.0.0.3'] })
        await scene.patch('pods', 'c', { metadata: { labels } })
      },
      want: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
      events: ['put 10.0.0.3'],
    },
    {
      name: 'a Pod that gets another address moves in one revision',
      change: async (scene) => scene.setPod('b', { ips: ['10.0.0.9'] }),
      want: ['10.0.0.1', '10.0.0.9'],
      events: ['put 10.0.0.9', 'delete 10.0.0.2'],
    },
    {
      name: 'a Pod of another namespace with the same labels changes nothing',
      change: async () => (await suite.scene()).pod('b', { labels, ips: ['10.0.0.77'] }),
      want: ['10.0.0.1', '10.0.0.2'],
      events: [],
    },
    {
      name: 'an annotation of a Pod changes nothing (S12)',
      change: async (scene) => scene.patch('pods', 'b', { metadata: { annotations: { note: 'x' } } }),
      want: ['10.0.0.1', '10.0.0.2'],
      events: [],
    },
  ]

  for (const { name, change, want, events } of cases) {
    test(name, async () => {
      const scene = await suite.scene()
      const target = `${scene.name}/ledger`
      await scene.pod('a', { labels, ips: ['10.0.0.1'] })
      await scene.pod('b', { labels, ips: ['10.0.0.2'] })
      await scene.service('ledger', ledger)
      await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.2:50051'])
      const mark = await suite.recorder.mark()

      await change(scene)
      await suite.recorder.untilAddresses(
        target,
        want.map((ip) => `${ip}:50051`),
      )
      await suite.settled()

      const seen = suite.recorder.since(mark, `${target}/`)
      const words = seen.map((revision) =>
        revision.events.map(({ kind, key }) => `${kind} ${key.slice(target.length + 1, -':50051'.length)}`).sort(),
      )
      assert.deepEqual(words, events.length === 0 ? [] : [events.toSorted()])
    })
  }

  test('the last Pod that terminates stays while it is ready, and goes when another is there', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.service('ledger', ledger)
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051'])
    const mark = await suite.recorder.mark()
    await scene.delete('pods', 'a', 30)
    await suite.settled()
    assert.deepEqual(suite.recorder.since(mark, `${target}/`), [])

    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    await suite.recorder.untilAddresses(target, ['10.0.0.2:50051'])
    assert.equal(suite.recorder.since(mark, `${target}/`).length, 1)
  })

  const families = [
    { ipFamily: 'Primary', want: ['[2001:db8::7]:50051'] },
    { ipFamily: 'IPv4', want: ['10.0.0.7:50051'] },
    { ipFamily: 'IPv6', want: ['[2001:db8::7]:50051'] },
    { ipFamily: 'All', want: ['10.0.0.7:50051', '[2001:db8::7]:50051'] },
  ]
  test('the addresses of a dual-stack Pod are chosen by ipFamily, IPv6 in brackets', async () => {
    const scene = await suite.scene()
    await scene.pod('dual', { labels, ips: ['2001:db8::7', '10.0.0.7'] })
    for (const { ipFamily, want } of families) {
      const name = ipFamily.toLowerCase()
      await scene.service(name, { pods: { ...ledger.pods, ipFamily } })
      await suite.recorder.untilAddresses(`${scene.name}/${name}`, want)
    }
    const values = suite.recorder.under(`${scene.name}/primary`).map(({ value }) => value)
    assert.deepEqual(values, ['{"Op":0,"Addr":"[2001:db8::7]:50051","Metadata":null}'])
  })

  const departures = [
    { name: 'alone', goes: async () => undefined },
    // The proof that it is gone takes a request more, which the new service must wait for.
    { name: 'with its service', goes: async (scene: Namespace) => scene.delete('grpcservices', 'ledger') },
  ]
  for (const { name, goes } of departures) {
    test(`the address of a Pod that went ${name} leaves the old target before it enters that of its next Pod (S10)`, async () => {
      const scene = await suite.scene()
      const [old, next] = [`${scene.name}/ledger`, `${scene.name}/audit`]
      await scene.service('ledger', ledger)
      await scene.service('audit', { pods: { selector: { matchLabels: { app: 'audit' } }, port: 'grpc' } })
      await scene.pod('a', { labels, ips: ['10.0.0.2'] })
      await scene.pod('b', { labels: { app: 'audit' }, ips: ['10.0.0.3'] })
      await scene.pod('c', { labels: { app: 'audit' }, ready: false })
      await suite.recorder.untilAddresses(old, ['10.0.0.2:50051'])
      await suite.recorder.untilAddresses(next, ['10.0.0.3:50051'])
      const mark = await suite.recorder.mark()

      // All changes reach the operator at once.
      suite.operator.pause()
      await goes(scene)
      await scene.delete('pods', 'a')
      await scene.setPod('c', { ips: ['10.0.0.2'] })
      suite.operator.resume()
      await suite.recorder.untilAddresses(next, ['10.0.0.2:50051', '10.0.0.3:50051'])
      await suite.recorder.untilAddresses(old, [])

      const moved = suite.recorder.since(mark, `${scene.name}/`).flatMap(({ events }) => events)
      const words = moved.map(({ kind, key }) => `${kind} ${key.slice(scene.name.length + 1)}`)
      assert.deepEqual(words, ['delete ledger/10.0.0.2:50051', 'put audit/10.0.0.2:50051'])
    })
  }
})
