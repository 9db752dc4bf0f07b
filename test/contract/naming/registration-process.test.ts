/** A registration and the life of its process: SIGTERM with and without another listener, sudden death, a pause, a natural end. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeEtcd } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { newTarget } from '../../support/naming-contract.ts'
import { startRegistrant } from '../../support/registrant.ts'
import type { Registrant, RegistrantOptions } from '../../support/registrant.ts'

const ADDR = '10.0.0.7:50051'
const OTHER = '10.0.0.8:50051'

async function start(suite: EtcdSuite, given: Partial<RegistrantOptions> = {}) {
  const target = newTarget(suite)
  const options = { ttlSeconds: 60, deregisterOnSigterm: true, ...given.options }
  const process = await startRegistrant({ hosts: suite.etcd.endpoint, target, addrs: [ADDR], ...given, options })
  suite.cleanUp(() => process.stop())
  return { process, target }
}

async function keysOf(suite: EtcdSuite, target: string): Promise<readonly string[]> {
  const text = await suite.etcd.etcdctl('get', '--prefix', '--keys-only', `${target}/`)
  return text.split('\n').filter((line) => line !== '')
}

/** The process ends by SIGTERM as if nobody had listened. */
async function endsBySigterm(process: Registrant): Promise<void> {
  assert.deepEqual(await process.exited(), { code: null, signal: 'SIGTERM' })
}

describeEtcd(
  'at SIGTERM',
  (suite) => {
    test('every endpoint of the process is out of etcd before it ends', async () => {
      const { process, target } = await start(suite, { addrs: [ADDR, OTHER] })
      assert.equal((await keysOf(suite, target)).length, 2)
      process.signal('SIGTERM')
      await endsBySigterm(process)
      assert.deepEqual(await keysOf(suite, target), [])
    })

    // One that puts itself in front of ours later, once, is off the list before anybody could count it.
    const listeners = [
      { method: 'on', place: 'before' },
      { method: 'on', place: 'after' },
      { method: 'once', place: 'before' },
      { method: 'once', place: 'after' },
      { method: 'prependOnceListener', place: 'before' },
    ]
    for (const { method, place } of listeners) {
      test(`another listener decides about the end, added by ${method} ${place} the registration`, async () => {
        const listener = `process.${method}('SIGTERM', () => { console.log('mine'); setTimeout(() => process.exit(7), 500) })`
        const { process, target } = await start(suite, { [place]: listener })
        process.signal('SIGTERM')
        await process.until('mine')
        await eventually('it is out of etcd', async () => (await keysOf(suite, target)).length === 0)
        assert.deepEqual(await process.exited(), { code: 7, signal: null })
      })
    }

    test('without the option nothing listens: the process ends at once, and the endpoint stays until its lease ends', async () => {
      const { process, target } = await start(suite, { options: { deregisterOnSigterm: false } })
      process.signal('SIGTERM')
      await endsBySigterm(process)
      assert.deepEqual(await keysOf(suite, target), [`${target}/${ADDR}`])
    })

    test('a closed registration listens no more', async () => {
      const after = `
      await registrations[0].close()
      await new Promise(setImmediate)
      console.log(process.listenerCount('SIGTERM') + ' listeners')
    `
      const { process } = await start(suite, { after })
      assert.ok(process.lines.includes('0 listeners'), process.lines.join())
      assert.deepEqual(await process.exited(), { code: 0, signal: null }, 'it ends by itself')
    })

    test('etcd that does not answer delays the end by a few seconds only', async () => {
      const { proxy } = await suite.faulty()
      const { process } = await start(suite, { hosts: `127.0.0.1:${proxy.port}` })
      proxy.pause()
      const startMs = performance.now()
      process.signal('SIGTERM')
      await endsBySigterm(process)
      assert.ok(performance.now() - startMs < 8_000)
    })

    test('a second SIGTERM is at once', async () => {
      const { proxy } = await suite.faulty()
      const { process } = await start(suite, { hosts: `127.0.0.1:${proxy.port}` })
      proxy.pause()
      const startMs = performance.now()
      process.signal('SIGTERM')
      await process.until(`${ADDR} closed`)
      process.signal('SIGTERM')
      await endsBySigterm(process)
      assert.ok(performance.now() - startMs < 3_000)
    })
  },
  { versions: ['3.7'] },
)

describeEtcd('a process', (suite) => {
  test('that dies suddenly is out of etcd when its TTL ends', async () => {
    const { process, target } = await start(suite, { options: { ttlSeconds: 2 } })
    process.signal('SIGKILL')
    await process.exited()
    await eventually('expired', async () => (await keysOf(suite, target)).length === 0, 2_000 + 3_000)
  })

  test('that was stopped for longer than its TTL registers again when it goes on', async () => {
    const { process, target } = await start(suite, { options: { ttlSeconds: 2 } })
    process.signal('SIGSTOP')
    await eventually('expired', async () => (await keysOf(suite, target)).length === 0)
    process.signal('SIGCONT')
    await eventually('back', async () => (await keysOf(suite, target)).length === 1, 5_000)
    await process.until(`${ADDR} registered`)
    process.signal('SIGTERM')
    await endsBySigterm(process)
    assert.deepEqual(await keysOf(suite, target), [])
  })

  test('whose listener throws stays registered', async () => {
    const before = `process.on('uncaughtException', ({ message }) => console.log(message))`
    const after = `
      registrations[0].prependListener('state', ({ kind }) => { throw new Error('thrown at ' + kind) })
      console.log('lease ' + registrations[0].state.lease)
    `
    const { process, target } = await start(suite, { options: { ttlSeconds: 2 }, before, after })
    const lease = process.lines.find((line) => line.startsWith('lease '))?.slice('lease '.length)
    assert.ok(lease !== undefined)
    await suite.etcd.etcdctl('lease', 'revoke', lease)
    await process.until('thrown at registered')
    assert.deepEqual(await keysOf(suite, target), [`${target}/${ADDR}`])
    process.signal('SIGTERM')
    await endsBySigterm(process)
    assert.deepEqual(await keysOf(suite, target), [])
  })
})
