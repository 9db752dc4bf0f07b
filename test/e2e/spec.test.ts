/** A GrpcService is changed; its endpoints follow in one revision (S7), and those that are wanted before and after stay (S8). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionOf } from '../support/kubernetes.ts'
import { describeOperator } from '../support/operator-suite.ts'
import { recordsOf } from '../support/recorder-laws.ts'

const pods = { selector: { matchLabels: { app: 'ledger' } }, port: 'grpc' }

describeOperator('the operator follows the spec of a GrpcService', (suite) => {
  test('a changed selector swaps the Pods in one revision and leaves those it keeps alone (S7, S8)', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.pod('a', { labels: { colour: 'blue' }, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels: { tier: 'gold' }, ips: ['10.0.0.2'] })
    await scene.pod('c', { labels: { colour: 'blue', tier: 'gold' }, ips: ['10.0.0.3'] })
    await scene.service('ledger', { pods: { ...pods, selector: { matchLabels: { colour: 'blue' } } } })
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.3:50051'])
    const mark = await suite.recorder.mark()

    const selector = { matchLabels: null, matchExpressions: [{ key: 'tier', operator: 'Exists' }] }
    await scene.patch('grpcservices', 'ledger', { spec: { pods: { selector } } })
    await suite.recorder.untilAddresses(target, ['10.0.0.2:50051', '10.0.0.3:50051'])
    const [only, ...more] = suite.recorder.since(mark, `${target}/`)
    assert.deepEqual(only?.events.map(({ kind }) => kind).toSorted(), ['delete', 'put'])
    assert.deepEqual(more, [])
  })

  test('a named port is looked up in each Pod', async () => {
    const scene = await suite.scene()
    await scene.pod('old', { labels: { app: 'ledger' }, ips: ['10.0.0.1'], ports: { grpc: 50051 } })
    await scene.pod('new', { labels: { app: 'ledger' }, ips: ['10.0.0.2'], ports: { metrics: 9090, grpc: 6000 } })
    await scene.service('ledger', { pods })
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, ['10.0.0.1:50051', '10.0.0.2:6000'])
  })

  test('a port name that no Pod has is a condition in words, and the last good keys stay', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    const ports = { grpc: 50051, metrics: 9090 }
    await scene.pod('a', { labels: { app: 'ledger' }, ips: ['10.0.0.1'], ports })
    await scene.pod('b', { labels: { app: 'ledger' }, ips: ['10.0.0.2'], ports })
    await scene.service('ledger', { pods })
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.2:50051'])
    const mark = await suite.recorder.mark()

    await scene.patch('grpcservices', 'ledger', { spec: { pods: { port: 'grcp' } } })
    const service = await scene.until('grpcservices', 'ledger', 'ResolvedRefs=PortNotFound')
    assert.equal(
      conditionOf(service, 'ResolvedRefs')?.message,
      'no container of Pod a (and 1 more) has a port named "grcp"; it has: "grpc" (50051), "metrics" (9090)',
    )
    assert.equal(conditionOf(service, 'Ready')?.reason, 'PortNotFound')
    await suite.settled()
    assert.deepEqual(suite.recorder.since(mark, `${target}/`), [])

    await scene.patch('grpcservices', 'ledger', { spec: { pods: { port: 'metrics' } } })
    await suite.recorder.untilAddresses(target, ['10.0.0.1:9090', '10.0.0.2:9090'])
    await scene.until('grpcservices', 'ledger', 'Ready=True')
  })

  test('a Pod without the port is named, and the others are published', async () => {
    const scene = await suite.scene()
    await scene.pod('a', { labels: { app: 'ledger' }, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels: { app: 'ledger' }, ips: ['10.0.0.2'], ports: { http: 80 } })
    await scene.service('ledger', { pods })
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, ['10.0.0.1:50051'])
    const service = await scene.until('grpcservices', 'ledger', 'ResolvedRefs=False')
    assert.match(conditionOf(service, 'ResolvedRefs')?.message ?? '', /^no container of Pod b has a port named "grpc"/)
  })

  const formats = [
    { spec: {}, stored: 'null' },
    {
      spec: { metadata: { zone: 'a', '9': '<b>' } },
      stored: '"{\\"9\\":\\"\\\\u003cb\\\\u003e\\",\\"zone\\":\\"a\\"}"',
    },
    { spec: { metadata: { zone: 'a', '9': 1 }, metadataFormat: 'Object' }, stored: '{"9":1,"zone":"a"}' },
    { spec: { metadata: 'plain' }, stored: '"plain"' },
  ]
  for (const { spec, stored } of formats) {
    test(`metadata ${JSON.stringify(spec)} is stored as ${stored} (S9)`, async () => {
      const scene = await suite.scene()
      const target = `${scene.name}/ledger`
      await scene.pod('a', { labels: { app: 'ledger' }, ips: ['10.0.0.1'] })
      await scene.service('ledger', { pods, ...spec })
      await suite.recorder.untilAddresses(target, ['10.0.0.1:50051'])
      const [entry] = suite.recorder.under(target)
      assert.equal(entry?.value, `{"Op":0,"Addr":"10.0.0.1:50051","Metadata":${stored}}`)
    })
  }

  test('changed metadata puts every key once, in one revision, on the lease it has', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.pod('a', { labels: { app: 'ledger' }, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels: { app: 'ledger' }, ips: ['10.0.0.2'] })
    await scene.service('ledger', { pods, metadata: 'old' })
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.2:50051'])
    const mark = await suite.recorder.mark()
    await scene.patch('grpcservices', 'ledger', { spec: { metadata: 'new' } })
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    await suite.settled()
    const [only, ...more] = suite.recorder.since(mark, `${target}/`)
    assert.deepEqual(more, [])
    assert.equal(only?.events.length, 2)
    for (const event of only.events) {
      assert.ok(event.kind === 'put' && event.entry.value.endsWith('"Metadata":"new"}'))
      assert.equal(event.entry.lease, event.before?.lease)
    }
  })

  test('another leaseDurationSeconds puts every key once on a new lease, which takes the place of the old in the Record', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.pod('a', { labels: { app: 'ledger' }, ips: ['10.0.0.1'] })
    await scene.service('ledger', { pods })
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051'])
    const mark = await suite.recorder.mark()
    const [before] = suite.recorder.under(target)
    const service = await scene.patch('grpcservices', 'ledger', { spec: { leaseDurationSeconds: 60 } })
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    await suite.settled()
    const [only, ...more] = suite.recorder.since(mark, `${target}/`)
    assert.deepEqual(more, [])
    assert.deepEqual(
      only?.events.map(({ kind }) => kind),
      ['put'],
    )
    const [after] = suite.recorder.under(target)
    assert.notEqual(after?.lease, before?.lease)
    assert.deepEqual(recordsOf(suite.recorder.entries).get(service.metadata.uid)?.leases, [after?.lease])
    const alive: unknown = JSON.parse(await suite.etcd.etcdctl('lease', 'timetolive', after?.lease ?? '', '-w', 'json'))
    assert.equal(typeof alive === 'object' && alive !== null && Reflect.get(alive, 'granted-ttl'), 60)
  })

  test('the Records of services side by side are independent: one is deleted in one revision with its keys', async () => {
    const scene = await suite.scene()
    await scene.pod('a', { labels: { app: 'ledger' }, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels: { app: 'ledger' }, ips: ['10.0.0.2'] })
    const { metadata } = await scene.service('ledger', { pods })
    await scene.service('mirror', { pods })
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, ['10.0.0.1:50051', '10.0.0.2:50051'])
    await suite.recorder.untilAddresses(`${scene.name}/mirror`, ['10.0.0.1:50051', '10.0.0.2:50051'])
    const mark = await suite.recorder.mark()
    await scene.delete('grpcservices', 'ledger')
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, [])
    await suite.settled()

    const seen = suite.recorder.since(mark).filter(({ events }) => events.some(({ kind }) => kind === 'delete'))
    assert.equal(seen.length, 1)
    assert.deepEqual(seen[0]?.events.map(({ kind, key }) => `${kind} ${key}`).toSorted(), [
      `delete _grpcetcd/default/services/${metadata.uid}`,
      `delete ${scene.name}/ledger/10.0.0.1:50051`,
      `delete ${scene.name}/ledger/10.0.0.2:50051`,
    ])
    assert.deepEqual(suite.recorder.since(mark, `${scene.name}/mirror/`), [])
  })
})
