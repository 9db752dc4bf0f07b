/** Two processes for one address: the one that came last has it, and the other neither takes it back nor takes it out (N9). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { register } from '../../../src/naming/index.ts'
import type { Endpoint, Registration } from '../../../src/naming/index.ts'
import { describeEtcd, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { newManager, newTarget, optionsOf } from '../../support/naming-contract.ts'

async function start(suite: EtcdSuite, target: string, endpoint: Endpoint): Promise<Registration> {
  const registration = await register(optionsOf(suite), target, endpoint, { ttlSeconds: 3 }, soon())
  suite.cleanUp(() => registration.close())
  return registration
}

async function loseLease(suite: EtcdSuite, { state }: Registration): Promise<void> {
  if (state.kind !== 'registered') assert.fail(`it is ${state.kind}`)
  await suite.client().leaseRevoke(state.lease, soon())
}

describeEtcd(
  'two registrations of one address',
  (suite) => {
    test('who lost its lease waits for the other to leave, and closing it leaves the other alone', async () => {
      const target = newTarget(suite)
      const manager = newManager(suite, target)
      const addr = '10.0.0.7:50051'
      const [old, next] = [
        await start(suite, target, { addr, metadata: 'old' }),
        await start(suite, target, { addr, metadata: 'new' }),
      ]
      const holder = async () => (await manager.list()).get(old.key)?.metadata
      await loseLease(suite, old)
      await eventually('it knows who has the address', () => {
        const { state } = old
        return state.kind === 'registering' && state.error !== null && 'code' in state.error
          ? state.error.code === 'address-taken'
          : false
      })
      assert.equal(await holder(), 'new')
      await next.close()
      await eventually('it is back', async () => (await holder()) === 'old' && old.state.kind === 'registered')

      const third = await start(suite, target, { addr, metadata: 'third' })
      await loseLease(suite, old)
      await eventually('it waits again', () => old.state.kind === 'registering')
      await old.close()
      assert.equal(await holder(), 'third')
      assert.equal(third.state.kind, 'registered')
    })

    test('what is put again is what was given first, whatever became of the object', async () => {
      const target = newTarget(suite)
      const endpoint = { addr: '10.0.0.7:50051', metadata: { zone: 'a' } }
      const registration = await start(suite, target, endpoint)
      endpoint.addr = '10.0.0.8:50051'
      endpoint.metadata.zone = 'b'
      const { state } = registration
      await loseLease(suite, registration)
      await eventually(
        'registered anew',
        () => registration.state.kind === 'registered' && registration.state !== state,
      )
      assert.deepEqual(
        [...(await newManager(suite, target).list())],
        [[`${target}/10.0.0.7:50051`, { addr: '10.0.0.7:50051', metadata: { zone: 'a' } }]],
      )
    })
  },
  { versions: ['3.7'] },
)
