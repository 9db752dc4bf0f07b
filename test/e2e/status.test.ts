/** What `kubectl` shows is true at the revision it names (S13), and a status that says the same is not written again (S12). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionOf } from '../support/kubernetes.ts'
import { describeOperator } from '../support/operator-suite.ts'

const labels = { app: 'ledger' }
const spec = { pods: { selector: { matchLabels: labels }, port: 'grpc' } }

describeOperator('the status of a GrpcService', (suite) => {
  /** The keys under the target at that revision, as the recorder saw them come and go. */
  function keysAt(target: string, revision: number): readonly string[] {
    const keys = new Set<string>()
    for (const { events } of suite.recorder.revisions.filter((seen) => seen.revision <= revision)) {
      for (const { kind, key } of events) {
        if (!key.startsWith(`${target}/`)) continue
        if (kind === 'put') keys.add(key)
        else keys.delete(key)
      }
    }
    return [...keys]
  }

  test('Ready=True names a revision at which etcd held exactly the desired endpoints (S13)', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    await scene.service('ledger', spec)
    await scene.untilRegistered('ledger', 2)
    const ports = [6001, 6002, 6003, 6004, 6005]
    for (const port of ports) {
      const { metadata } = await scene.patch('grpcservices', 'ledger', { spec: { pods: { port } } })
      const { status } = await scene.until('grpcservices', 'ledger', 'Ready=True')
      await suite.recorder.mark()
      assert.equal(status.observedGeneration, metadata.generation)
      assert.equal(status.target, target)
      assert.deepEqual(status.endpoints, { desired: 2, registered: 2 })
      assert.deepEqual(
        keysAt(target, Number(status.revision)),
        ['10.0.0.1', '10.0.0.2'].map((ip) => `${target}/${ip}:${port}`),
      )
    }
  })

  test('a change that only removes endpoints has a revision of its own (S13)', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.service('ledger', spec)
    for (const i of [1, 2, 3]) await scene.pod(`pod-${i}`, { labels, ips: [`10.0.0.${i}`] })
    for (const left of [2, 1, 0]) {
      // The oldest first: what is left is younger than what goes.
      await scene.delete('pods', `pod-${3 - left}`)
      const { status } = await scene.untilRegistered('ledger', left)
      await suite.recorder.mark()
      assert.equal(keysAt(target, Number(status.revision)).length, left)
    }
  })

  test('every condition speaks of the present generation, and a healthy service has neither Reconciling nor Stalled', async () => {
    const scene = await suite.scene()
    await scene.service('ledger', spec)
    const service = await scene.until('grpcservices', 'ledger', 'Ready=True')
    assert.deepEqual(
      service.status.conditions.map(({ type, status, reason, observedGeneration }) => [
        type,
        status,
        reason,
        observedGeneration,
      ]),
      [
        ['Accepted', 'True', 'Accepted', 1],
        ['ResolvedRefs', 'True', 'ResolvedRefs', 1],
        ['Programmed', 'True', 'Programmed', 1],
        ['Ready', 'True', 'NoEndpoints', 1],
      ],
    )
  })

  test('nothing changed, nothing written: neither in etcd nor in the status (S12)', async () => {
    const scene = await suite.scene()
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.service('ledger', spec)
    await scene.endpoint('vm', { serviceRef: { name: 'ledger' }, address: '10.20.3.7:50051' })
    await scene.untilRegistered('ledger', 2)
    await scene.until('grpcendpoints', 'vm', 'Ready=True')
    const mark = await suite.settled()
    const versions = async () =>
      Promise.all([
        scene.patch('grpcservices', 'ledger', { metadata: { annotations: { note: 'x' } } }),
        scene.patch('grpcendpoints', 'vm', { metadata: { annotations: { note: 'x' } } }),
      ]).then((objects) => objects.map(({ metadata }) => metadata.resourceVersion))
    const before = await versions()
    await scene.patch('pods', 'a', { metadata: { annotations: { note: 'x' } } })
    const canary = await suite.scene()
    await canary.service('ledger', spec)
    await canary.until('grpcservices', 'ledger', 'Ready=True')
    await suite.settled()
    // The same patch again changes nothing, so the answer is the object as it stands.
    assert.deepEqual(await versions(), before)
    assert.deepEqual(suite.recorder.since(mark, `${scene.name}/`), [])
  })

  test('a burst of changes is many revisions in etcd and few writes of the status', async () => {
    const scene = await suite.scene()
    await scene.service('ledger', spec)
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    const versions = new Set<string>()
    for (let i = 1; i <= 60; i += 1) {
      await scene.pod(`pod-${i}`, { labels, ips: [`10.0.0.${i}`] })
      versions.add((await scene.get('grpcservices', 'ledger')).metadata.resourceVersion)
    }
    const addresses = Array.from({ length: 60 }, (_, i) => `10.0.0.${i + 1}:50051`)
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, addresses)
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    assert.ok(versions.size < 12, `${versions.size} statuses for 60 Pods`)
  })

  test('/metrics counts what was written and tells who leads', async () => {
    const scene = await suite.scene()
    const before = await suite.operator.metrics()
    await scene.pod('a', { labels: { app: 'ledger' }, ips: ['10.7.0.1'] })
    await scene.service('ledger', { pods: { selector: { matchLabels: { app: 'ledger' } }, port: 'grpc' } })
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, ['10.7.0.1:50051'])
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    const after = await suite.operator.metrics()
    const more = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0)
    assert.equal(more('grpcetcd_endpoint_changes_total{op="put"}'), 1)
    assert.equal(more('grpcetcd_leases'), 1)
    assert.ok(more('grpcetcd_reconcile_total{result="published"}') >= 1)
    assert.equal(after.get('grpcetcd_leader'), 1)
    assert.equal(after.get('grpcetcd_store_synced{resource="pods"}'), 1)
    assert.ok((after.get('process_resident_memory_bytes') ?? 0) > 0)
  })

  test('kubectl wait and kubectl get work as users expect', async () => {
    const scene = await suite.scene()
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.service('ledger', spec)
    await scene.endpoint('vm', { serviceRef: { name: 'ledger' }, address: '10.20.3.7:50051' })
    const inScene = ['-n', scene.name]
    await suite.api.kubectl('wait', ...inScene, 'grpcsvc/ledger', '--for=condition=Ready', '--timeout=10s')
    await suite.api.kubectl('wait', ...inScene, 'grpcep/vm', '--for=condition=Ready', '--timeout=10s')
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, ['10.0.0.1:50051', '10.20.3.7:50051'])
    await suite.api.kubectl('wait', ...inScene, 'grpcsvc/ledger', '--for=jsonpath={.status.endpoints.registered}=2')
    const table = await suite.api.kubectl('get', ...inScene, 'grpcsvc')
    assert.match(table, /^NAME +TARGET +DESIRED +REGISTERED +READY +REASON +AGE\n/)
    assert.match(table, new RegExp(`\nledger +${scene.name}/ledger +2 +2 +True +Ready +`))
    const endpoints = await suite.api.kubectl('get', ...inScene, 'grpcep')
    assert.match(endpoints, new RegExp(`\nvm +${scene.name}/ledger/10.20.3.7:50051 +Active +True +`))
  })

  test('a status that somebody else spoiled is set right with the next change, and never fails the service', async () => {
    const scene = await suite.scene()
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.service('ledger', spec)
    await scene.until('grpcservices', 'ledger', 'Ready=True')
    const path = `/apis/grpcetcd.dev/v1alpha1/namespaces/${scene.name}/grpcservices/ledger/status`
    await suite.kubernetes.request('PATCH', path, { status: null })
    await scene.patch('grpcservices', 'ledger', { spec: { metadata: 'x' } })
    const service = await scene.until('grpcservices', 'ledger', 'Ready=True')
    assert.equal(conditionOf(service, 'Programmed')?.status, 'True')
  })
})
