/** What is not ours stays as it is (S6), a target has one owner, and one object's trouble stays its own (S14). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { conditionOf } from '../support/kubernetes.ts'
import { describeOperator, installCrds } from '../support/operator-suite.ts'

const labels = { app: 'ledger' }
const pods = { selector: { matchLabels: labels }, port: 'grpc' }

describeOperator('the operator shares etcd with others', (suite) => {
  test('foreign keys and garbage under the target are never touched, whatever happens to the service (S6)', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    const [, lease = ''] = /^lease ([0-9a-f]+) granted/.exec(await suite.etcd.etcdctl('lease', 'grant', '600')) ?? []
    suite.foreignLeases.add(BigInt(`0x${lease}`).toString(16))
    const foreign: readonly (readonly [suffix: string, value: string, ...flags: string[]])[] = [
      ['10.9.9.9:50051', '{"Op":0,"Addr":"10.9.9.9:50051","Metadata":null}', `--lease=${lease}`],
      ['10.9.9.8:50051', '{"Op":0,"Addr":"10.9.9.8:50051","Metadata":null}'],
      ['not-an-address', '{broken'],
      ['empty', ''],
      ['', 'the target with a slash'],
      ['10.0.0.1:50051/deeper', '[1]'],
    ]
    for (const [suffix, value, ...flags] of foreign) {
      await suite.etcd.etcdctl('put', ...flags, '--', `${target}/${suffix}`, value)
    }
    await suite.etcd.etcdctl('put', `${target}-v2/10.9.9.9:50051`, 'a neighbour')
    await suite.recorder.mark()
    const before = suite.recorder.under(target)
    assert.equal(before.length, foreign.length)
    const keysOf = (addresses: readonly string[]) => [...foreign.map(([suffix]) => suffix), ...addresses]

    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    await scene.service('ledger', { pods })
    await suite.recorder.untilAddresses(target, keysOf(['10.0.0.1:50051', '10.0.0.2:50051']))
    await scene.untilRegistered('ledger', 2)
    await suite.operator.terminate()
    await suite.replace()
    await scene.delete('pods', 'a')
    await suite.recorder.untilAddresses(target, keysOf(['10.0.0.2:50051']))
    await scene.delete('grpcservices', 'ledger')
    await suite.recorder.untilAddresses(target, keysOf([]))
    await suite.settled()
    assert.deepEqual(suite.recorder.under(target), before)
    assert.equal(suite.recorder.under(`${target}-v2`).length, 1)
  })

  test('a foreign key at a wanted address is a condition that says how to go on, and is published once it is gone', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    const key = `${target}/10.0.0.1:50051`
    await suite.etcd.etcdctl('put', key, '{"Op":0,"Addr":"10.0.0.1:50051","Metadata":"mine"}')
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    await scene.service('ledger', { pods })
    const refused = await scene.until('grpcservices', 'ledger', 'Programmed=ForeignKey')
    assert.equal(
      conditionOf(refused, 'Ready')?.message,
      `${key} was written by somebody else and is left alone; delete it (etcdctl del ${key}) to have it published from here`,
    )
    assert.equal(conditionOf(refused, 'Programmed')?.status, 'False')
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.2:50051'])
    assert.match(suite.recorder.entries.get(key)?.value ?? '', /"mine"/)
    await suite.etcd.etcdctl('del', key)
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    await suite.recorder.mark()
    assert.match(suite.recorder.entries.get(key)?.value ?? '', /null/)
  })

  test('a key of ours that somebody deletes comes back; one that somebody overwrites is theirs from then on', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    const [a, b] = [`${target}/10.0.0.1:50051`, `${target}/10.0.0.2:50051`]
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    await scene.service('ledger', { pods })
    await scene.untilRegistered('ledger', 2)
    const mark = await suite.recorder.mark()
    await suite.etcd.etcdctl('del', a)
    const back = () => suite.recorder.since(mark, a).length === 2 && suite.recorder.entries.has(a)
    await eventually('the deleted key is back', back)
    await suite.etcd.etcdctl('put', b, 'theirs')
    await scene.until('grpcservices', 'ledger', 'Programmed=ForeignKey')
    await suite.settled()
    assert.equal(suite.recorder.entries.get(b)?.value, 'theirs')
  })

  const rivals = [
    { name: 'the same target', incumbent: 'books', younger: 'books' },
    { name: 'a target below it', incumbent: 'books', younger: 'books/v2' },
    { name: 'a target above it', incumbent: 'books/v2', younger: 'books' },
  ]
  for (const { name, incumbent, younger } of rivals) {
    test(`of two services the incumbent keeps its target; the other, with ${name}, waits and then takes over`, async () => {
      const scene = await suite.scene()
      const [first, second] = [`${scene.name}/${incumbent}`, `${scene.name}/${younger}`]
      // By name the younger would go first.
      await scene.service('z-incumbent', { target: first })
      await scene.endpoint('one', { serviceRef: { name: 'z-incumbent' }, address: '10.0.0.1:1' })
      await suite.recorder.untilAddresses(first, ['10.0.0.1:1'])
      const mark = await suite.recorder.mark()
      await scene.service('a-younger', { target: second })
      await scene.endpoint('two', { serviceRef: { name: 'a-younger' }, address: '10.0.0.2:1' })
      const refused = await scene.until('grpcservices', 'a-younger', 'Accepted=TargetConflict')
      assert.equal(conditionOf(refused, 'Stalled')?.status, 'True')
      assert.match(conditionOf(refused, 'Ready')?.message ?? '', new RegExp(`${scene.name}/z-incumbent`))
      await suite.settled()
      assert.deepEqual(suite.recorder.since(mark, `${scene.name}/books`), [])

      await scene.delete('grpcservices', 'z-incumbent')
      await scene.until('grpcservices', 'a-younger', 'Ready=True')
      await suite.settled()
      const keys = suite.recorder.under(`${scene.name}/books`).map(({ key }) => key)
      assert.deepEqual(keys, [`${second}/10.0.0.2:1`])
      assert.equal(conditionOf(await scene.get('grpcservices', 'a-younger'), 'Stalled'), undefined)
    })
  }

  test('a service that comes back with another target leaves the old one to who waited for it, and both are published', async () => {
    const scene = await suite.scene()
    const [old, other] = [`${scene.name}/old`, `${scene.name}/other`]
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.service('z-mover', { target: old, pods })
    await suite.recorder.untilAddresses(old, ['10.0.0.1:50051'])
    await scene.service('a-waiter', { target: old, pods })
    await scene.until('grpcservices', 'a-waiter', 'Accepted=TargetConflict')

    await suite.operator.terminate()
    await scene.delete('grpcservices', 'z-mover')
    await scene.service('z-mover', { target: other, pods })
    const operator = await suite.replace()
    await suite.recorder.untilAddresses(other, ['10.0.0.1:50051'])
    await scene.until('grpcservices', 'a-waiter', 'Ready=True')
    assert.deepEqual(suite.recorder.addresses(old), ['10.0.0.1:50051'])
    assert.equal(await operator.health('/healthz'), 200)
  })

  test('a state prefix that belongs to another cluster is refused with its name and the way out (S15)', async () => {
    await suite.etcd.etcdctl('put', '_grpcetcd/elsewhere/identity', '["uid-of-another-cluster"]')
    const operator = suite.start({ args: ['--operator-name=elsewhere'] })
    const mark = await suite.recorder.mark()
    assert.deepEqual(await operator.exited(), { code: 2, signal: null })
    const words = await operator.stderr()
    assert.match(words, /_grpcetcd\/elsewhere\/identity .*uid-of-another-cluster/)
    assert.match(words, /give each cluster an --operator-name of its own/)
    assert.deepEqual(suite.recorder.since(mark, '_grpcetcd/elsewhere/'), [])
  })

  test('objects that no CRD of ours would let in are reported, and the healthy ones beside them go on (S14)', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.service('ledger', { pods })
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051'])
    const lax = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    const patch = [{ op: 'replace', path: '/spec/versions/0/schema/openAPIV3Schema', value: lax }]
    for (const plural of ['grpcservices', 'grpcendpoints']) {
      await suite.api.kubectl('patch', 'crd', `${plural}.grpcetcd.dev`, '--type=json', '-p', JSON.stringify(patch))
    }
    const broken: readonly (readonly [name: string, spec: object])[] = [
      ['text', { pods: 'nonsense' }],
      ['everything', { pods: { selector: {}, port: 'grpc' } }],
      ['target', { target: '../../registry' }],
      ['lease', { leaseDurationSeconds: -1 }],
    ]
    for (const [name, spec] of broken) {
      // The API server takes a moment to use the new schema.
      const created = async () => scene.service(name, spec).catch(() => undefined)
      await eventually(`the broken ${name} is let in`, created)
    }
    const address = 'file:///etc/passwd'
    const lost = async () => scene.endpoint('lost', { serviceRef: { name: 'ledger' }, address }).catch(() => undefined)
    await eventually('the broken GrpcEndpoint is let in', lost)

    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.2:50051'])
    for (const [name] of broken) await scene.until('grpcservices', name, 'Accepted=InvalidSpec')
    await scene.until('grpcendpoints', 'lost', 'Accepted=InvalidSpec')
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    for (const [name] of broken) await scene.delete('grpcservices', name)
    await scene.delete('grpcendpoints', 'lost')
    await installCrds(suite.api)
    await suite.settled()
  })
})
