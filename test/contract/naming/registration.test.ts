/** `register` against real etcd: an endpoint that is there as long as its process wants it, whatever happens to etcd. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { startEtcd } from '../../../dev/control-plane/etcd.ts'
import type { Etcd } from '../../../dev/control-plane/etcd.ts'
import { freePort } from '../../../dev/control-plane/free-port.ts'
import { EtcdConnection, register } from '../../../src/naming/index.ts'
import type { EtcdSource, RegisterOptions, Registration, RegistrationState } from '../../../src/naming/index.ts'
import { describeEtcd, leasesOf, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { newTarget, optionsOf } from '../../support/naming-contract.ts'

const ADDR = '10.0.0.7:50051'

interface Followed {
  readonly registration: Registration
  readonly states: readonly RegistrationState[]
}

async function start(
  suite: EtcdSuite,
  options: RegisterOptions = { ttlSeconds: 60 },
  etcd: EtcdSource = optionsOf(suite),
  target = newTarget(suite),
): Promise<Followed> {
  const registration = await register(etcd, target, { addr: ADDR }, options, soon())
  const states = [registration.state]
  registration.on('state', (state) => states.push(state))
  // A test may have closed it, or taken its etcd away.
  suite.cleanUp(() => registration.close().catch(() => undefined))
  return { registration, states }
}

function leaseOf({ state }: Registration): string {
  if (state.kind === 'registering' || state.kind === 'closed') assert.fail(`it is ${state.kind}`)
  return state.lease
}

async function valueOf({ etcdctl }: Pick<Etcd, 'etcdctl'>, key: string): Promise<string> {
  return (await etcdctl('get', '--print-value-only', key)).trim()
}

const VALUE = `{"Op":0,"Addr":"${ADDR}","Metadata":null}`

async function anEtcd(suite: EtcdSuite): Promise<Etcd> {
  const etcd = await startEtcd({ version: suite.etcd.version })
  suite.cleanUp(() => etcd.stop())
  return etcd
}

describeEtcd('a registration', (suite) => {
  test('puts the endpoint under a lease of its TTL, and closing deletes both', async () => {
    const before = await leasesOf(suite.etcd)
    const { registration, states } = await start(suite, { ttlSeconds: 33 })
    const { entries } = await suite.client().range({ key: registration.key }, soon())
    assert.equal(entries[0]?.lease, leaseOf(registration))
    assert.deepEqual(states, [{ kind: 'registered', lease: entries[0]?.lease, revision: entries[0]?.modRevision }])
    assert.equal(await valueOf(suite.etcd, registration.key), VALUE)
    const times = await suite.client().leaseTimeToLive(leaseOf(registration), soon())
    assert.equal(times?.grantedTtlSeconds, 33)
    await registration.close()
    assert.deepEqual(registration.state, { kind: 'closed' })
    assert.equal(await valueOf(suite.etcd, registration.key), '')
    assert.deepEqual([...(await leasesOf(suite.etcd)).difference(before)], [])
    await registration.close()
  })

  test('is there for several TTLs without another write', async () => {
    const { registration, states } = await start(suite, { ttlSeconds: 2 })
    const endMs = performance.now() + 7_000
    await eventually('three TTLs have passed', () => performance.now() > endMs)
    const { entries } = await suite.client().range({ key: registration.key }, soon())
    assert.deepEqual(states, [{ kind: 'registered', lease: entries[0]?.lease, revision: entries[0]?.createRevision }])
  })

  test('is there again under another lease when its own was revoked', async () => {
    const { registration, states } = await start(suite, { ttlSeconds: 3 })
    const lost = leaseOf(registration)
    await suite.etcd.etcdctl('lease', 'revoke', lost)
    await eventually('it is back', () => states.length === 3, 1_500)
    assert.deepEqual(
      states.map(({ kind }) => kind),
      ['registered', 'registering', 'registered'],
    )
    assert.notEqual(leaseOf(registration), lost)
    assert.equal(await valueOf(suite.etcd, registration.key), VALUE)
  })

  test('closes at the end of its scope', async () => {
    let key: string
    {
      await using registration = await register(optionsOf(suite), newTarget(suite), { addr: ADDR })
      ;({ key } = registration)
      assert.equal(await valueOf(suite.etcd, key), VALUE)
    }
    assert.equal(await valueOf(suite.etcd, key), '')
  })

  test('that is closed leaves a key that another one has taken over', async () => {
    const target = newTarget(suite)
    const first = await start(suite, { ttlSeconds: 60 }, optionsOf(suite), target)
    const second = await start(suite, { ttlSeconds: 60 }, optionsOf(suite), target)
    await first.registration.close()
    assert.equal(await valueOf(suite.etcd, second.registration.key), VALUE)
    await suite.etcd.etcdctl('put', second.registration.key, 'by hand')
    await second.registration.close()
    assert.equal(await valueOf(suite.etcd, second.registration.key), 'by hand')
  })

  test('shares a connection with others, each with its own lease', async () => {
    const connection = new EtcdConnection(optionsOf(suite))
    suite.cleanUp(() => {
      connection.close()
    })
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => start(suite, { ttlSeconds: 2 }, connection)))
    assert.ok(one && two && three)
    await one.registration.close()
    assert.equal(await valueOf(suite.etcd, one.registration.key), '')
    assert.equal(await valueOf(suite.etcd, two.registration.key), VALUE)
    connection.close()
    await eventually('both are closed', () => [two, three].every((each) => each.registration.state.kind === 'closed'))
    await eventually('its keys expire', async () => (await valueOf(suite.etcd, two.registration.key)) === '', 5_000)
    await assert.rejects(two.registration.close(), { code: 'closed' })
    await assert.rejects(register(connection, newTarget(suite), { addr: ADDR }), { code: 'closed' })
  })

  test('says what is wrong before anything is sent', async () => {
    const nobody = { hosts: `127.0.0.1:${await freePort()}` }
    await assert.rejects(register(nobody, '', { addr: ADDR }), { code: 'invalid-argument', message: 'invalid target' })
    await assert.rejects(register(nobody, 'foo', { addr: ADDR, metadata: NaN }), { code: 'unsupported-value' })
    for (const ttlSeconds of [0, -1, 1.5, NaN, Infinity]) {
      await assert.rejects(register(nobody, 'foo', { addr: ADDR }, { ttlSeconds }), { code: 'invalid-argument' })
    }
  })

  test('that etcd refuses leaves no lease behind', async () => {
    const before = await leasesOf(suite.etcd)
    const metadata = 'x'.repeat(2 * 1024 * 1024)
    const registering = register(optionsOf(suite), newTarget(suite), { addr: ADDR, metadata })
    await assert.rejects(registering, { name: 'RejectedError', code: 'request-too-large' })
    const ttlSeconds = 9_000_000_001
    const tooLong = register(optionsOf(suite), newTarget(suite), { addr: ADDR }, { ttlSeconds })
    await assert.rejects(tooLong, { name: 'RejectedError', code: 'lease-ttl-too-large' })
    assert.deepEqual([...(await leasesOf(suite.etcd)).difference(before)], [])
  })
})

describeEtcd('when etcd goes away', (suite) => {
  test('and comes back with its data, the endpoint is confirmed again', async () => {
    const etcd = await anEtcd(suite)
    const { registration, states } = await start(suite, { ttlSeconds: 2 }, { hosts: etcd.endpoint })
    await etcd.kill()
    await eventually('not confirmed', () => registration.state.kind === 'unconfirmed')
    await etcd.restart()
    await eventually('confirmed', () => registration.state.kind === 'registered')
    assert.equal(await valueOf(etcd, registration.key), VALUE)
    assert.deepEqual(states.map(({ kind }) => kind).slice(0, 2), ['registered', 'unconfirmed'])
  })

  test('and comes back empty, the endpoint is registered again', async () => {
    const etcd = await anEtcd(suite)
    const { registration } = await start(suite, { ttlSeconds: 3 }, { hosts: etcd.endpoint })
    const lost = leaseOf(registration)
    await etcd.kill()
    rmSync(etcd.dataDir, { recursive: true })
    await etcd.restart()
    await eventually('registered again', async () => (await valueOf(etcd, registration.key)) === VALUE, 5_000)
    await eventually('it says so', () => registration.state.kind === 'registered' && leaseOf(registration) !== lost)
  })

  test('a connection that is cut again and again leaves one lease, and none when it is closed', async () => {
    const { proxy } = await suite.faulty()
    const before = await leasesOf(suite.etcd)
    const ours = async () => (await leasesOf(suite.etcd)).difference(before).size
    const { registration } = await start(suite, { ttlSeconds: 2 }, { hosts: `127.0.0.1:${proxy.port}` })
    const startMs = performance.now()
    // So often that hardly a renewal passes, and leases are lost.
    await eventually('cut for three TTLs', () => {
      proxy.cut()
      return performance.now() > startMs + 6_000
    })
    await eventually('registered', () => registration.state.kind === 'registered')
    await eventually('with one lease', async () => (await ours()) === 1)
    assert.equal(await valueOf(suite.etcd, registration.key), VALUE)
    await registration.close()
    assert.equal(await ours(), 0)
  })

  test('at the start, it is waited for', async () => {
    const port = await freePort()
    const registering = start(suite, { ttlSeconds: 60 }, { hosts: `127.0.0.1:${port}` })
    const etcd = await startEtcd({ version: suite.etcd.version, clientPort: port })
    suite.cleanUp(() => etcd.stop())
    const { registration } = await registering
    assert.equal(await valueOf(etcd, registration.key), VALUE)
  })

  for (const { name, fault } of [
    { name: 'that refuses', fault: 'refuse' },
    { name: 'that is silent', fault: 'pause' },
  ] as const) {
    test(`at the start, the signal gives up on one ${name}, and says why`, async () => {
      const { proxy } = await suite.faulty()
      proxy[fault]()
      const startMs = performance.now()
      const options = { hosts: `127.0.0.1:${proxy.port}` }
      await assert.rejects(
        register(options, newTarget(suite), { addr: ADDR }, {}, AbortSignal.timeout(700)),
        fault === 'refuse'
          ? {
              name: 'UnavailableError',
              code: 'aborted',
              message: /foo\/10\.0\.0\.7:50051 was not registered: etcd 127\.0\.0\.1:\d+: .*ECONN/,
            }
          : {
              name: 'UnavailableError',
              code: 'aborted',
              message: /was not registered: The operation was aborted due to timeout/,
            },
      )
      assert.ok(performance.now() - startMs < 2_000)
    })
  }

  test('at the start, closing its connection ends the wait', async () => {
    const connection = new EtcdConnection({ hosts: `127.0.0.1:${await freePort()}` })
    const registering = register(connection, newTarget(suite), { addr: ADDR })
    connection.close()
    await assert.rejects(registering, { name: 'UnavailableError', code: 'closed' })
  })

  for (const { fault, name } of [
    { fault: 'refuse', name: 'UnavailableError|TimeoutError' },
    { fault: 'pause', name: 'TimeoutError' },
  ] as const) {
    test(`closing says after a few seconds that the endpoint will expire, and it does (${fault})`, async () => {
      const { proxy } = await suite.faulty()
      const { registration } = await start(suite, { ttlSeconds: 6 }, { hosts: `127.0.0.1:${proxy.port}` })
      proxy[fault]()
      const startMs = performance.now()
      await assert.rejects(registration.close(), (error) => {
        assert.ok(error instanceof Error)
        assert.match(error.name, new RegExp(`^(${name})$`))
        assert.match(error.message, /^\S+ may still be in etcd, and expires with its lease \(TTL 6 s\): etcd 127/)
        return true
      })
      assert.ok(performance.now() - startMs < 7_000)
      assert.equal(registration.state.kind, 'closed')
      await assert.rejects(registration.close(), { code: 'not-deregistered' })
      await eventually('expired', async () => (await valueOf(suite.etcd, registration.key)) === '')
    })
  }

  test('closing waits for one that is back within a few seconds', async () => {
    const { proxy } = await suite.faulty()
    const { registration, states } = await start(suite, { ttlSeconds: 60 }, { hosts: `127.0.0.1:${proxy.port}` })
    proxy.refuse()
    const closing = registration.close()
    await eventually('it tries', () => states.at(-1)?.kind === 'closed')
    const backMs = performance.now() + 1_000
    await eventually('a second has passed', () => performance.now() > backMs)
    proxy.accept()
    await closing
    assert.equal(await valueOf(suite.etcd, registration.key), '')
  })
})
