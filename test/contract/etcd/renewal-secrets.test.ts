/** The renewal thread proves who it is as the main thread's client does: users, tokens and certificates that change (L8). */
import assert from 'node:assert/strict'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeCertificates } from '../../../dev/control-plane/certificates.ts'
import { startEtcd } from '../../../dev/control-plane/etcd.ts'
import type { LeaseKeeper } from '../../../src/etcd/lease-keeper.ts'
import { enableAuth } from '../../support/etcd-auth.ts'
import { describeEtcd, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { startRenewalThread } from '../../support/renewal-thread.ts'

async function directory(suite: Pick<EtcdSuite, 'cleanUp'>): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'renewal-thread-'))
  suite.cleanUp(() => rm(made, { recursive: true }))
  return made
}

function validUntil(keeper: LeaseKeeper, id: string): number {
  const state = keeper.state(id)
  return state.kind === 'alive' ? state.validUntilMs : 0
}

describeEtcd(
  'the renewal thread and an etcd with users',
  (suite) => {
    test('a user and password file, a token that expires, a restart that forgets all tokens: the lease lives (L8)', async () => {
      const etcdPasswordFile = join(await directory(suite), 'password')
      await writeFile(etcdPasswordFile, 'pass\n')
      const lost: string[] = []
      const thread = startRenewalThread(
        suite,
        { etcdEndpoints: [suite.etcd.endpoint], etcdUsername: 'operator', etcdPasswordFile },
        { onLost: (id) => lost.push(id) },
      )
      const id = await thread.grant(6, soon())
      const laterMs = performance.now() + 4_000
      await eventually(
        'renewed with another token than the first',
        () => validUntil(thread, id) > laterMs + 6_000,
        9_000,
      )
      await suite.etcd.restart()
      const restartedAtMs = performance.now()
      await eventually('renewed', () => validUntil(thread, id) > restartedAtMs + 6_000, 5_000)
      assert.deepEqual(lost, [])
    })

    test('a wrong password is refused in our words and without a secret', async () => {
      const etcdPasswordFile = join(await directory(suite), 'password')
      await writeFile(etcdPasswordFile, 'not-the-password')
      const config = { etcdEndpoints: [suite.etcd.endpoint], etcdUsername: 'operator', etcdPasswordFile }
      const thread = startRenewalThread(suite, config)
      await assert.rejects(thread.grant(6, soon()), (error) => {
        assert.ok(error instanceof Error && error.name === 'ForbiddenError')
        assert.equal(Reflect.get(error, 'code'), 'authentication-failed')
        assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /not-the-password/)
        return true
      })
    })
  },
  {
    versions: ['3.7'],
    extraArgs: ['--auth-token-ttl=2'],
    setUp: (etcd) => enableAuth(etcd, 'operator', ['readwrite own/']),
  },
)

test('the renewal thread reads replaced certificate files without a restart (L8)', async () => {
  const cleanUps: (() => void | Promise<void>)[] = []
  const suite = { cleanUp: (action: () => void | Promise<void>) => void cleanUps.push(action) }
  try {
    const made = await directory(suite)
    const tls = await makeCertificates({ directory: join(made, 'right') })
    await makeCertificates({ directory: join(made, 'other') })
    await cp(join(made, 'other'), join(made, 'mounted'), { recursive: true })
    const etcd = await startEtcd({ tls })
    suite.cleanUp(() => etcd.stop())
    const file = (name: string): string => join(made, 'mounted', name)
    const thread = startRenewalThread(suite, {
      etcdEndpoints: [etcd.endpoint],
      etcdCaFile: file('ca.crt'),
      etcdCertFile: file('client.crt'),
      etcdKeyFile: file('client.key'),
    })
    await assert.rejects(thread.grant(60, soon()), { name: 'ForbiddenError', code: 'bad-certificate' })
    await cp(join(made, 'right'), join(made, 'mounted'), { recursive: true, force: true })
    const id = await eventually('it is served', () => thread.grant(60, soon()).catch(() => undefined))
    thread.check(id)
    const granted = validUntil(thread, id)
    await eventually('renewed', () => validUntil(thread, id) > granted)
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
})
