/** GrpcEndpoints: addresses that are not Pods. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { conditionOf } from '../support/kubernetes.ts'
import { describeOperator } from '../support/operator-suite.ts'

const address = '10.20.3.7:50051'
const serviceRef = { name: 'ledger' }

describeOperator('the operator publishes GrpcEndpoints', (suite) => {
  test('Drained removes the key and Active brings it back', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.service('ledger', {})
    await scene.endpoint('vm-1', { serviceRef, address })
    await scene.endpoint('vm-2', { serviceRef, address: '[2001:DB8:0::7]:50051' })
    await suite.recorder.untilAddresses(target, [address, '[2001:db8::7]:50051'])
    assert.equal((await scene.until('grpcendpoints', 'vm-1', 'Ready=True')).status.key, `${target}/${address}`)

    await scene.patch('grpcendpoints', 'vm-1', { spec: { state: 'Drained' } })
    await suite.recorder.untilAddresses(target, ['[2001:db8::7]:50051'])
    const drained = await scene.until('grpcendpoints', 'vm-1', 'Ready=Drained')
    assert.equal(drained.status.key, undefined)

    await scene.patch('grpcendpoints', 'vm-1', { spec: { state: 'Active' } })
    await suite.recorder.untilAddresses(target, [address, '[2001:db8::7]:50051'])
    await scene.delete('grpcendpoints', 'vm-1')
    await scene.delete('grpcendpoints', 'vm-2')
    await suite.recorder.untilAddresses(target, [])
    const empty = await scene.until('grpcservices', 'ledger', 'Ready=NoEndpoints')
    assert.equal(conditionOf(empty, 'Ready')?.status, 'True')
  })

  test('one whose service does not exist says so, and is published when the service comes', async () => {
    const scene = await suite.scene()
    await scene.endpoint('vm', { serviceRef, address })
    const lonely = await scene.until('grpcendpoints', 'vm', 'ResolvedRefs=ServiceNotFound')
    assert.equal(
      conditionOf(lonely, 'Ready')?.message,
      `there is no GrpcService ${scene.name}/ledger; create it or correct spec.serviceRef.name`,
    )
    await scene.service('ledger', {})
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, [address])
    await scene.until('grpcendpoints', 'vm', 'Ready=True')

    await scene.delete('grpcservices', 'ledger')
    await suite.recorder.untilAddresses(`${scene.name}/ledger`, [])
    await scene.until('grpcendpoints', 'vm', 'ResolvedRefs=ServiceNotFound')
  })

  test('one of another namespace with the same reference adds nothing here', async () => {
    const [here, there] = [await suite.scene(), await suite.scene()]
    await here.service('ledger', {})
    await there.endpoint('vm', { serviceRef, address })
    await there.until('grpcendpoints', 'vm', 'ResolvedRefs=ServiceNotFound')
    await suite.settled()
    assert.deepEqual(suite.recorder.addresses(`${here.name}/ledger`), [])
  })

  test('an address that a Pod has too is one key, with the metadata of the GrpcEndpoint (S10)', async () => {
    const scene = await suite.scene()
    const target = `${scene.name}/ledger`
    await scene.service('ledger', {
      pods: { selector: { matchLabels: { app: 'ledger' } }, port: 50051 },
      metadata: { zone: 'a', weight: 1 },
      metadataFormat: 'Object',
    })
    await scene.pod('a', { labels: { app: 'ledger' }, ips: ['10.20.3.7'] })
    await suite.recorder.untilAddresses(target, [address])
    const mark = await suite.recorder.mark()
    await scene.endpoint('vm', { serviceRef, address, metadata: { weight: 5 } })
    await scene.until('grpcendpoints', 'vm', 'Ready=True')
    await suite.recorder.mark()
    assert.deepEqual(
      suite.recorder.under(target).map(({ value }) => value),
      [`{"Op":0,"Addr":"${address}","Metadata":{"weight":5,"zone":"a"}}`],
    )
    await scene.delete('pods', 'a')
    await suite.settled()
    assert.equal(suite.recorder.since(mark, `${target}/`).length, 1)
  })
})
