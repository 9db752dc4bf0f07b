/** Credentials change under a running resolver: tokens expire, certificates are replaced. And TLS from the channel to the servers. */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { credentials, ServerCredentials } from '@grpc/grpc-js'
import { Etcd3 } from 'etcd3'
import { makeCertificates } from '../../../dev/control-plane/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { enableAuth } from '../../support/etcd-auth.ts'
import { namingTest, publish, watchersOf } from '../../support/naming-suite.ts'
import type { Stage } from '../../support/naming-suite.ts'

const TOKEN_TTL_SECONDS = 2
const AUTH = { username: 'reader', password: 'pass' }
const ROOT = { username: 'root', password: 'secret' }

/** `reader` may read what is under `svc/`, `root` everything. */
/** Two authorities in a temporary directory. */
async function authorities(stage: Stage) {
  const directory = await mkdtemp(join(tmpdir(), 'naming-tls-'))
  stage.cleanUp(() => rm(directory, { recursive: true, force: true }))
  const path = (authority: string) => join(directory, authority)
  const [first, second] = await Promise.all([
    makeCertificates({ directory: path('first') }),
    makeCertificates({ directory: path('second') }),
  ])
  return { path, first, second }
}

describe('credentials', { concurrency: 4 }, () => {
  namingTest(
    'a watch goes on when its token expires, and resumes with a new one when its stream breaks',
    async (stage) => {
      const etcd = await stage.etcd({ extraArgs: [`--auth-token-ttl=${TOKEN_TTL_SECONDS}`] })
      await enableAuth(etcd, 'reader', ['read svc/'])
      const proxy = await stage.proxy(etcd)
      const reader = stage.connection({ hosts: `127.0.0.1:${proxy.port}`, auth: AUTH })
      const [a, b] = [await stage.server(), await stage.server()]
      const write = (...addrs: readonly string[]) =>
        publish(stage.manager({ hosts: etcd.endpoint, auth: ROOT }, 'svc'), ...addrs)
      await write(a.addr)
      const seen = stage.follow(stage.manager(reader, 'svc'))
      const caller = stage.resolver(reader, { loadBalancing: 'round_robin' }).dial('svc')
      assert.equal(await caller.call(), a.addr)
      const load = caller.load()
      const expire = () => delay(TOKEN_TTL_SECONDS * 1_000 + 1_500)
      await expire()
      await write(b.addr)
      await eventually('the stream that is open goes on', () => seen.addrs.size === 2 && load.latest(20).has(b.addr))
      await expire()
      proxy.cut()
      await write('127.0.0.1:1')
      await eventually('the next stream has a new token', () => seen.addrs.size === 3)
      assert.equal((await stage.manager(reader, 'svc').list()).size, 3)
      await load.stop()
      assert.deepEqual([load.failures, seen.end], [[], undefined])
    },
  )

  namingTest(
    'certificates that are replaced on disk are used when etcd comes back with its new ones',
    async (stage) => {
      const { path, first } = await authorities(stage)
      const mounted = path('mounted')
      await cp(path('first'), mounted, { recursive: true })
      const etcd = await stage.etcd({ tls: first })
      const file = (name: string) => join(mounted, name)
      const source = {
        hosts: etcd.endpoint,
        tls: { caFile: file('ca.crt'), certFile: file('client.crt'), keyFile: file('client.key') },
      }
      const reader = stage.connection(source)
      const [a, b] = [await stage.server(), await stage.server()]
      await publish(stage.manager(reader, 'svc'), a.addr)
      const seen = stage.follow(stage.manager(reader, 'svc'))
      const caller = stage.resolver(reader, { loadBalancing: 'round_robin' }).dial('svc')
      assert.equal(await caller.call(), a.addr)
      const load = caller.load()
      // The server first: for a while we trust the wrong authority.
      await etcd.kill()
      await cp(path('second'), path('first'), { recursive: true, force: true })
      await etcd.restart()
      await delay(1_000)
      await cp(path('second'), mounted, { recursive: true, force: true })
      await eventually('it is written through the old connection', () =>
        publish(stage.manager(reader, 'svc'), b.addr).then(
          () => true,
          () => false,
        ),
      )
      await eventually('the watch resumes', () => seen.addrs.size === 2)
      await eventually('calls go to both', () => load.latest(20).has(b.addr))
      await load.stop()
      assert.deepEqual([load.failures, seen.end], [[], undefined])
    },
  )

  namingTest('an Etcd3 client lends its hosts, certificates, user and name of the server', async (stage) => {
    const { first } = await authorities(stage)
    const etcd = await stage.etcd({ tls: first })
    await enableAuth(etcd, 'reader', ['read svc/'])
    const [rootCertificate, certChain, privateKey] = await Promise.all(
      [first.caFile, first.clientCertFile, first.clientKeyFile].map((path) => readFile(path)),
    )
    if (rootCertificate === undefined || certChain === undefined || privateKey === undefined) return assert.fail()
    const etcd3 = new Etcd3({
      hosts: etcd.endpoint,
      credentials: { rootCertificate, certChain, privateKey },
      auth: ROOT,
      grpcOptions: { 'grpc.ssl_target_name_override': 'localhost' },
    })
    stage.cleanUp(() => {
      etcd3.close()
    })
    const server = await stage.server()
    await publish(stage.manager(etcd3, 'svc'), server.addr)
    assert.equal(await stage.resolver(etcd3).dial('svc').call(), server.addr)
    etcd3.close()
    assert.equal((await stage.manager(etcd3, 'svc').list()).size, 1, 'closing it is not our end')
  })

  namingTest(
    'TLS to the servers: the certificate is for the target, or for the name that the channel says',
    async (stage) => {
      const { first, second } = await authorities(stage)
      const etcd = await stage.etcd()
      const connection = stage.connection({ hosts: etcd.endpoint })
      const [ca, cert, key] = await Promise.all(
        [first.caFile, first.serverCertFile, first.serverKeyFile].map((path) => readFile(path)),
      )
      if (ca === undefined || cert === undefined || key === undefined) return assert.fail()
      const server = await stage.server({
        credentials: ServerCredentials.createSsl(null, [{ private_key: key, cert_chain: cert }]),
      })
      const resolver = stage.resolver(connection)
      const trusted = credentials.createSsl(ca)
      for (const target of ['localhost', 'payments/ledger'])
        await publish(stage.manager(connection, target), server.addr)
      // The certificate is for `localhost`.
      assert.equal(await resolver.dial('localhost', {}, trusted).call(), server.addr)
      const named = { 'grpc.ssl_target_name_override': 'localhost' }
      assert.equal(await resolver.dial('payments/ledger', named, trusted).call(), server.addr)
      const authority = { ...named, 'grpc.default_authority': 'localhost' }
      assert.equal(await resolver.dial('payments/ledger', authority, trusted).call(), server.addr)
      assert.ok(server.authorities.has('localhost'))
      assert.equal(server.authorities.size, 2, 'the target’s name is the other one')
      await assert.rejects(resolver.dial('payments/ledger', {}, trusted).call(2_000), /altname|ERR_TLS/i)
      const others = credentials.createSsl(await readFile(second.caFile))
      await assert.rejects(resolver.dial('localhost', {}, others).call(2_000), /certificate/i)
      assert.equal((await watchersOf(etcd)) > 0, true)
    },
  )
})
