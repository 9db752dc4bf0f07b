/** The library as a user of etcd with few rights: what is refused is said at once, by its class and code. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EtcdConnection, ForbiddenError, register } from '../../../src/naming/index.ts'
import type { EtcdOptions } from '../../../src/naming/index.ts'
import { describeEtcd, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { asRoot, enableAuth } from '../../support/etcd-auth.ts'
import { newManager, optionsOf } from '../../support/naming-contract.ts'

function asApp(suite: EtcdSuite, password = 'pass'): EtcdOptions {
  return optionsOf(suite, { auth: { username: 'app', password } })
}

const forbidden = (code: string) => (error: unknown) => error instanceof ForbiddenError && error.code === code

async function leasesOf(suite: EtcdSuite): Promise<string> {
  return asRoot(suite.etcd, 'lease', 'list')
}

describeEtcd(
  'with few rights',
  (suite) => {
    test('a manager works where it may, and is forbidden where it may not', async () => {
      const own = newManager(suite, 'own/a', asApp(suite))
      await own.addEndpoint('own/a/a', { addr: 'a:1' })
      assert.equal((await own.list()).size, 1)
      const seen = newManager(suite, 'seen/a', asApp(suite))
      await assert.rejects(seen.addEndpoint('seen/a/a', { addr: 'a:1' }), forbidden('permission-denied'))
      assert.equal((await seen.list()).size, 0)
      const foreign = newManager(suite, 'foreign/a', asApp(suite))
      await assert.rejects(foreign.list(), forbidden('permission-denied'))
      await assert.rejects(foreign.watch(soon()).next(), forbidden('permission-denied'))
    })

    test('one forbidden endpoint of many is a refusal of all', async () => {
      const own = newManager(suite, 'own/all', asApp(suite))
      const update = own.update([
        { op: 'add', key: 'own/all/a', endpoint: { addr: 'a:1' } },
        { op: 'add', key: 'own/all/b', endpoint: { addr: 'b:1' }, lease: 'dead' },
      ])
      await assert.rejects(update, { code: 'lease-not-found' })
      assert.equal((await own.list()).size, 0)
    })

    test('who gives up while the token is asked for takes no other call along', async () => {
      const connection = new EtcdConnection(asApp(suite))
      suite.cleanUp(() => {
        connection.close()
      })
      const [one, two] = [newManager(suite, 'own/one', connection), newManager(suite, 'own/two', connection)]
      const aborting = new AbortController()
      const [first, second] = [one.update([], aborting.signal), two.addEndpoint('own/two/a', { addr: 'a:1' })]
      const givenUp = assert.rejects(first, { code: 'aborted' })
      aborting.abort()
      await givenUp
      await second
    })

    test('a watch ends with ForbiddenError when the permission is taken away', async () => {
      await asRoot(suite.etcd, 'role', 'grant-permission', 'app', 'read', 'lent/', '--prefix=true')
      const lent = newManager(suite, 'lent', asApp(suite))
      const own = newManager(suite, 'own/w', asApp(suite))
      const [lentWatch, ownWatch] = [lent.watch(soon(30_000)), own.watch(soon(30_000))]
      await Promise.all([lentWatch.next(), ownWatch.next()])
      const refused = assert.rejects(lentWatch.next(), forbidden('permission-denied'))
      await asRoot(suite.etcd, 'role', 'revoke-permission', 'app', 'lent/', '--prefix=true')
      // etcd asks for permission when a watch begins: at the next stream.
      await suite.etcd.kill()
      await suite.etcd.restart()
      await refused
      assert.deepEqual(await lentWatch.next(), { done: true, value: undefined })
      const adding = () => own.addEndpoint('own/w/a', { addr: 'a:1' }).catch(() => undefined)
      await eventually('etcd writes again', adding)
      const { value } = await ownWatch.next()
      assert.equal(value?.updates.length, 1)
    })

    const refusals: readonly {
      readonly name: string
      readonly options: (suite: EtcdSuite) => EtcdOptions
      readonly target: string
      readonly code: string
    }[] = [
      { name: 'no user', options: optionsOf, target: 'own/r', code: 'authentication-required' },
      { name: 'a wrong password', options: (of) => asApp(of, 'wrong'), target: 'own/r', code: 'authentication-failed' },
      { name: 'a missing permission', options: (of) => asApp(of), target: 'seen/r', code: 'permission-denied' },
    ]
    for (const { name, options, target, code } of refusals) {
      test(`a registration with ${name} is refused at once, and leaves no lease`, async () => {
        const before = await leasesOf(suite)
        const startMs = performance.now()
        await assert.rejects(register(options(suite), target, { addr: '10.0.0.7:50051' }), forbidden(code))
        assert.ok(performance.now() - startMs < 2_000)
        assert.equal(await leasesOf(suite), before)
      })
    }

    test('a registration says why it is out when the permission is taken away, and is back when it is given', async () => {
      await asRoot(suite.etcd, 'role', 'grant-permission', 'app', 'readwrite', 'reg/', '--prefix=true')
      const registration = await register(asApp(suite), 'reg', { addr: '10.0.0.7:50051' }, { ttlSeconds: 2 })
      suite.cleanUp(() => registration.close())
      await asRoot(suite.etcd, 'role', 'revoke-permission', 'app', 'reg/', '--prefix=true')
      if (registration.state.kind !== 'registered') assert.fail(registration.state.kind)
      await asRoot(suite.etcd, 'lease', 'revoke', registration.state.lease)
      await eventually('it says why', () => {
        const { state } = registration
        return state.kind === 'registering' && state.error instanceof ForbiddenError
      })
      const [count, spare] = (await leasesOf(suite)).trim().split('\n')
      assert.equal(count, 'found 1 leases')
      // The lease that waits for its endpoint may go too.
      await asRoot(suite.etcd, 'lease', 'revoke', spare ?? '')
      await asRoot(suite.etcd, 'role', 'grant-permission', 'app', 'readwrite', 'reg/', '--prefix=true')
      await eventually('it is back', () => registration.state.kind === 'registered')
      assert.match(await asRoot(suite.etcd, 'get', registration.key), /10\.0\.0\.7:50051/)
    })
  },
  { setUp: (etcd) => enableAuth(etcd, 'app', ['readwrite own/', 'read seen/']) },
)
