/** What we write, read by programs that are built on the official Go packages: list, watch, and calls through etcd's own resolver. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../../dev/control-plane/free-port.ts'
import { eventually } from '../support/eventually.ts'
import { goList, startGoClient, startGoServer, startGoWatch } from '../support/go-client.ts'
import { describeOperator } from '../support/operator-suite.ts'

const labels = { app: 'ledger' }
const selector = { matchLabels: labels }

describeOperator('stock Go clients', (suite) => {
  for (const version of ['3.5', '3.7'] as const) {
    const entriesOf = (target: string) =>
      suite.recorder.under(target).map(({ key }) => ({ key, addr: key.slice(target.length + 1) }))

    test(`${version}: Manager.List returns every endpoint with its metadata`, async () => {
      const scene = await suite.scene()
      const target = `${scene.name}/ledger`
      const options = { version, endpoint: suite.etcd.endpoint, target }
      await scene.pod('a', { labels, ips: ['2001:db8::7', '10.0.0.7'] })
      const metadata = { zone: 'a', note: '<&> \u2028 ü' }
      await scene.service('ledger', { pods: { selector, port: 'grpc', ipFamily: 'All' }, metadata })
      await suite.recorder.untilAddresses(target, ['10.0.0.7:50051', '[2001:db8::7]:50051'])
      const asString = '{"note":"\\u003c\\u0026\\u003e \\u2028 ü","zone":"a"}'
      assert.deepEqual(
        await goList(options),
        entriesOf(target).map((entry) => ({ ...entry, metadata: asString })),
      )
      await scene.patch('grpcservices', 'ledger', { spec: { metadataFormat: 'Object' } })
      await scene.until('grpcservices', 'ledger', 'Ready=True')
      assert.deepEqual(
        await goList(options),
        entriesOf(target).map((entry) => ({ ...entry, metadata })),
      )
    })

    test(`${version}: the watch channel brings the whole set first and then one message a revision (S7)`, async () => {
      const scene = await suite.scene()
      const target = `${scene.name}/ledger`
      for (const i of [1, 2]) await scene.pod(`blue-${i}`, { labels, ips: [`10.0.0.${i}`] })
      for (const i of [3, 4, 5]) await scene.pod(`green-${i}`, { labels: { app: 'green' }, ips: [`10.0.0.${i}`] })
      await scene.service('ledger', { pods: { selector, port: 1 } })
      await suite.recorder.untilAddresses(target, ['10.0.0.1:1', '10.0.0.2:1'])
      const watch = await startGoWatch({ version, endpoint: suite.etcd.endpoint, target })
      await eventually('the whole set arrives', () => watch.messages.length === 1)
      await scene.patch('grpcservices', 'ledger', { spec: { pods: { selector: { matchLabels: { app: 'green' } } } } })
      await eventually('the change arrives', () => watch.messages.length === 2)
      await scene.delete('grpcservices', 'ledger')
      await eventually('the end arrives', () => watch.messages.length === 3)
      await watch.stop()
      const words = watch.messages.map(({ updates }) =>
        updates.map(({ op, key }) => `${op} ${key.slice(target.length + 1)}`).toSorted(),
      )
      const [three, four, five] = ['10.0.0.3:1', '10.0.0.4:1', '10.0.0.5:1']
      assert.deepEqual(words, [
        ['add 10.0.0.1:1', 'add 10.0.0.2:1'],
        [`add ${three}`, `add ${four}`, `add ${five}`, 'delete 10.0.0.1:1', 'delete 10.0.0.2:1'],
        [`delete ${three}`, `delete ${four}`, `delete ${five}`],
      ])
    })

    test(`${version}: round_robin calls follow a scale up, a scale down and an operator restart, none fails`, async () => {
      const scene = await suite.scene()
      const target = `${scene.name}/ledger`
      const port = await freePort()
      const server = await startGoServer({ port })
      suite.cleanUp(async () => server.stop())
      const ips = [1, 2, 3, 4, 5, 6].map((i) => `127.1.0.${i}`)
      const peers = (count: number) => ips.slice(0, count).map((ip) => `${ip}:${port}`)
      await scene.service('ledger', { pods: { selector, port } })
      for (const ip of ips.slice(0, 3)) await scene.pod(`pod-${ip}`, { labels, ips: [ip] })
      await suite.recorder.untilAddresses(target, peers(3))

      const client = await startGoClient({ version, endpoint: suite.etcd.endpoint, target, callsPerSecond: 100 })
      const reaches = async (count: number) => {
        const seen = new Map(client.stats().byPeer)
        // Each of them twice more, and nobody else once each of them was: the connections of those that went are closed by then.
        const again = () =>
          peers(count).every((peer) => (client.stats().byPeer.get(peer) ?? 0) >= (seen.get(peer) ?? 0) + 2)
        await eventually(`calls reach ${count} endpoints`, again)
      }
      await reaches(3)
      for (const ip of ips.slice(3)) await scene.pod(`pod-${ip}`, { labels, ips: [ip] })
      await reaches(6)
      await suite.operator.terminate()
      await suite.replace()
      for (const ip of ips.slice(2)) await scene.delete('pods', `pod-${ip}`)
      await suite.recorder.untilAddresses(target, peers(2))
      await reaches(2)
      const gone = (): number => [...client.stats().byPeer].filter(([peer]) => !peers(2).includes(peer)).length
      assert.equal(gone(), 4)
      await client.stop()
      const { calls, failed, errors } = client.stats()
      assert.ok(calls > 50)
      assert.deepEqual({ failed, errors }, { failed: 0, errors: [] })
    })
  }
})
