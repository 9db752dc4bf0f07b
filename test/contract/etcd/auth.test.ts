import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ForbiddenError } from '../../../src/errors.ts'
import type { EtcdClient } from '../../../src/etcd/client.ts'
import { prefixRange } from '../../../src/etcd/kv.ts'
import { createMirrors } from '../../../src/etcd/mirror.ts'
import { nest } from '../../../src/etcd/nest.ts'
import { asRoot, enableAuth } from '../../support/etcd-auth.ts'
import { describeEtcd, put, putNow, silent, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'

const TOKEN_TTL_SECONDS = 2

async function operator(
  suite: EtcdSuite,
  password = 'pass',
): Promise<{ readonly client: EtcdClient; readonly passwordFile: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'etcd-auth-'))
  suite.cleanUp(() => rm(directory, { recursive: true }))
  const passwordFile = join(directory, 'password')
  await writeFile(passwordFile, `${password}\n`)
  return { client: suite.client({ username: 'operator', passwordFile }), passwordFile }
}

const forbidden = (code: string) => (error: unknown) => error instanceof ForbiddenError && error.code === code

describeEtcd(
  'authentication',
  (suite) => {
    test('a restart of etcd, which forgets every token, costs no lease its renewal (L8)', async () => {
      const { client } = await operator(suite)
      const lost: string[] = []
      const keeper = suite.keeper(client, (id) => lost.push(id))
      const lease = await keeper.grant(6, soon())
      await suite.etcd.restart()
      const restartedAtMs = performance.now()
      await eventually(
        'the lease is renewed well before it would expire',
        () => {
          const state = keeper.state(lease)
          return state.kind === 'alive' && state.validUntilMs > restartedAtMs + 6_000
        },
        5_000,
      )
      assert.deepEqual(lost, [])
    })

    test('what the user may not do is forbidden, and what it may is not', async () => {
      const { client } = await operator(suite)
      await putNow(client, 'own/a')
      await assert.rejects(putNow(client, 'foreign/a'), forbidden('permission-denied'))
      await assert.rejects(client.range(prefixRange('foreign/'), soon()), forbidden('permission-denied'))
      const nested = nest(
        Array.from({ length: 20 }, (_, n) => put(`foreign/${n}`)),
        4,
      )
      await assert.rejects(
        client.txn({ compare: [], success: nested, failure: [] }, soon()),
        forbidden('permission-denied'),
      )
    })

    test('4,096 nested ops pass the permission check in one revision', async () => {
      const { client } = await operator(suite)
      const ops = nest(
        Array.from({ length: 4_096 }, (_, n) => put(`own/many/${n}`)),
        16,
      )
      await client.txn({ compare: [], success: ops, failure: [] }, soon())
    })

    test('no or wrong credentials are forbidden; a corrected password file heals', async () => {
      await assert.rejects(putNow(suite.client(), 'own/a'), forbidden('authentication-required'))
      const { client, passwordFile } = await operator(suite, 'wrong')
      await assert.rejects(putNow(client, 'own/a'), forbidden('authentication-failed'))
      await writeFile(passwordFile, 'pass')
      await putNow(client, 'own/a')
    })

    test('an expired token is renewed: for calls, watches and leases', async () => {
      const { client } = await operator(suite)
      const watcher = suite.watcher(client)
      const keeper = suite.keeper(client)
      const seen: number[] = []
      const follow = (startRevision: number) =>
        watcher.watch({
          range: prefixRange('own/watched/'),
          startRevision,
          onEvents: (_, revision) => seen.push(revision),
          onCompacted: () => assert.fail('nothing was compacted'),
          onStoreChanged: () => assert.fail('nothing was replaced'),
        })
      const start = await putNow(client, 'own/a')
      follow(start + 1)
      const lease = await keeper.grant(2, soon())
      // etcd looks for expired tokens once a second; nothing uses the token meanwhile.
      await delay(TOKEN_TTL_SECONDS * 1_000 + 1_500)
      follow(start + 1)
      await eventually('both watches are in step', () => watcher.sync(soon(1_000)).catch(() => undefined))
      await putNow(client, 'own/watched/a', 'v', lease)
      await eventually('both watches see it', () => seen.length === 2)
      assert.equal(keeper.state(lease).kind, 'alive')
    })

    test('an aborted call does not wait for the token, and does not take it from the others', async () => {
      const { proxy, client } = await suite.faulty({ username: 'operator', password: 'pass' })
      proxy.pause()
      const startedAtMs = performance.now()
      const other = putNow(client, 'own/a')
      await assert.rejects(client.range({ key: 'own/a' }, soon(100)), { name: 'UnavailableError', code: 'aborted' })
      assert.ok(performance.now() - startedAtMs < 1_000)
      proxy.resume()
      await other
    })

    test('a connection that is replaced while a call waits for its token is not what the call fails with', async () => {
      const { proxy, client } = await suite.faulty({ username: 'operator', password: 'pass' })
      const openWatch = () => client.openWatch({ onMessage: () => undefined, onEnd: () => undefined }, soon())
      const [first, second] = [await openWatch(), await openWatch()]
      first.distrust('token')
      const sent = proxy.bytesToServer
      proxy.pause('to-client')
      const writing = putNow(client, 'own/a')
      const opening = assert.rejects(openWatch(), { name: 'UnavailableError', code: 'replaced' })
      await eventually('the token is asked for', () => proxy.bytesToServer > sent + 50)
      second.distrust('silent')
      proxy.resume()
      await writing
      await opening
    })

    test('a server that forgot all tokens is no obstacle', async () => {
      const { client } = await operator(suite)
      const keeper = suite.keeper(client)
      await putNow(client, 'own/a')
      const lease = await keeper.grant(10, soon())
      await suite.etcd.kill()
      await suite.etcd.restart()
      await eventually('it writes again', () => putNow(client, 'own/a', 'v', lease).catch(() => undefined))
      await eventually('it renews again', () => keeper.state(lease).kind === 'alive')
    })

    test('a range that is forbidden does not disturb the others, and heals when it is granted', async () => {
      const { client } = await operator(suite)
      const watcher = suite.watcher(client)
      const mirrors = createMirrors({ kv: client, watcher, log: silent })
      const open = (prefix: string) => mirrors.open({ range: prefixRange(prefix), onChange: () => undefined })
      const [own, later] = [open('own/'), open('later/')]
      suite.cleanUp(() => {
        own.close()
        later.close()
      })
      await own.whenReady(soon())
      await eventually('the problem is told', () => later.problem instanceof ForbiddenError)
      assert.equal(later.ready, false)
      await asRoot(suite.etcd, 'role', 'grant-permission', 'operator', 'readwrite', 'later/', '--prefix=true')
      await later.whenReady(soon())
      // Taken away again: the next stream is refused this one watch.
      await asRoot(suite.etcd, 'role', 'revoke-permission', 'operator', 'later/', '--prefix=true')
      await suite.etcd.kill()
      await suite.etcd.restart()
      await eventually('refused', () => !later.ready && later.problem instanceof ForbiddenError)
      const revision = await eventually('writes go on', () => putNow(client, 'own/x').catch(() => undefined))
      await eventually('the barrier does not wait for it', () => watcher.sync(soon(1_000)).catch(() => undefined))
      // After an outage it is read again, which the barrier knows nothing of.
      await own.whenReady(soon())
      assert.equal(own.observed, revision)
    })
  },
  {
    extraArgs: [`--auth-token-ttl=${TOKEN_TTL_SECONDS}`],
    setUp: (etcd) => enableAuth(etcd, 'operator', ['readwrite own/']),
  },
)
