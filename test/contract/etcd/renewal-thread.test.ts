/** What only the renewal thread promises: it outlives a stuck main thread, up to the blind bound, and never ends in silence (L5, L8, S16). */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { checkout } from '../../../dev/tools/catalogue.ts'
import { InvariantError } from '../../../src/errors.ts'
import type { LeaseKeeper } from '../../../src/etcd/lease-keeper.ts'
import { describeEtcd, leasesOf, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { blockMainThread, PROGRAM, startRenewalThread } from '../../support/renewal-thread.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'

const run = promisify(execFile)

async function directory(suite: Pick<EtcdSuite, 'cleanUp'>): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'renewal-thread-'))
  suite.cleanUp(() => rm(made, { recursive: true }))
  return made
}

/** The operator as it is published, in one file. */
async function builtProgram(suite: EtcdSuite): Promise<URL> {
  const output = join(await directory(suite), 'grpc-etcd.js')
  await run(process.execPath, ['dev/build.ts', '--output', output], { cwd: checkout })
  return pathToFileURL(output)
}

function validUntil(keeper: LeaseKeeper, id: string): number {
  const state = keeper.state(id)
  return state.kind === 'alive' ? state.validUntilMs : 0
}

const expired = async (suite: EtcdSuite, id: string): Promise<boolean> => !(await leasesOf(suite.etcd)).has(id)

describeEtcd(
  'the renewal thread',
  (suite) => {
    const start = (config: Parameters<typeof startRenewalThread>[1] = {}, given = {}) =>
      startRenewalThread(suite, { etcdEndpoints: [suite.etcd.endpoint], ...config }, given)

    test('leases of 10 s outlive a main thread that is stuck for 30 s, from source and from the built file', async () => {
      const lost: string[] = []
      const onLost = (id: string) => lost.push(id)
      const threads = [PROGRAM, await builtProgram(suite)].map((entry) => start({}, { entry, onLost }))
      const leases = await Promise.all(
        threads.flatMap((thread) =>
          Array.from({ length: 20 }, async () => ({ thread, id: await thread.grant(10, soon()) })),
        ),
      )
      blockMainThread(30_000)
      const backAtMs = performance.now()
      await eventually(
        'what was renewed meanwhile is known',
        () => leases.every(({ thread, id }) => thread.state(id).kind === 'alive'),
        500,
      )
      const present = await leasesOf(suite.etcd)
      for (const { thread, id } of leases) {
        assert.ok(present.has(id), `${id} is in etcd`)
        assert.ok(validUntil(thread, id) <= performance.now() + 10_000)
        assert.ok(validUntil(thread, id) > backAtMs + 4_000, 'renewed while we were stuck')
      }
      assert.deepEqual(lost, [])
    })

    test('a close gives up what is asked for, ends the thread within a second, and revokes nothing (S16)', async () => {
      const proxy = await startTcpProxy(suite.etcd.port)
      suite.cleanUp(() => proxy.close())
      const thread = start({ etcdEndpoints: [`http://127.0.0.1:${proxy.port}`] })
      const id = await thread.grant(60, soon())
      proxy.pause()
      const refused = assert.rejects(thread.grant(60, soon()), { code: 'closed' })
      thread.close()
      await refused
      await assert.rejects(thread.grant(60, soon()), { code: 'closed' })
      proxy.resume()
      await eventually('its connection is gone', () => proxy.connections === 0, 1_000)
      assert.ok((await leasesOf(suite.etcd)).has(id))
    })

    test('a replica that never sees Kubernetes renews until the bound, grants nothing after it, and revokes nothing', async () => {
      const thread = start({ maxBlindSeconds: 4 })
      const startedAtMs = performance.now()
      const id = await thread.grant(2, soon())
      await eventually('it has expired', () => expired(suite, id))
      assert.ok(performance.now() > startedAtMs + 4_000, 'not before the bound')
      assert.equal(thread.state(id).kind, 'unknown')
      await assert.rejects(thread.grant(60, soon()), { name: 'UnavailableError', code: 'blind' })
    })

    test('a replica that sees Kubernetes again renews at once, and finds out what it has lost', async () => {
      const lost: string[] = []
      const thread = start({ maxBlindSeconds: 1 }, { onLost: (id: string) => lost.push(id) })
      const [short, long, removed] = await Promise.all(
        [2, 600, 600].map((ttlSeconds) => thread.grant(ttlSeconds, soon())),
      )
      assert.ok(short !== undefined && long !== undefined && removed !== undefined)
      const before = validUntil(thread, long)
      await eventually('it is blind, and the short lease has expired', () => expired(suite, short))
      thread.remove(removed)
      const added = await suite.client().leaseGrant('b11d', 600, soon())
      thread.add('b11d', added)
      assert.deepEqual(lost, [])
      thread.seen()
      await eventually('renewed', () => validUntil(thread, long) > before, 1_000)
      await eventually('lost', () => thread.state(short).kind === 'lost', 1_000)
      await eventually('what came meanwhile too', () => thread.state('b11d').kind === 'alive', 1_000)
      assert.deepEqual(lost, [short])
      assert.equal(thread.state(removed).kind, 'unknown')
      await eventually('it grants again', () => {
        thread.seen()
        return thread.grant(60, soon()).catch(() => undefined)
      })
    })

    test('a replica that sees Kubernetes now and then is never blind', async () => {
      const thread = start({ maxBlindSeconds: 3 })
      const id = await thread.grant(4, soon())
      const untilMs = performance.now() + 6_500
      await eventually('two bounds have passed', () => {
        thread.seen()
        assert.equal(thread.state(id).kind, 'alive')
        return performance.now() > untilMs
      })
    })

    test('a main thread that is stuck is blind: its leases expire after the bound', async () => {
      const thread = start({ maxBlindSeconds: 2 })
      const id = await thread.grant(3, soon())
      thread.seen()
      blockMainThread(7_000)
      assert.ok(await expired(suite, id))
      thread.seen()
      await eventually('it is known', () => thread.state(id).kind === 'lost', 1_000)
    })
  },
  { versions: ['3.7'] },
)

describe('a renewal thread that fails is said once, and loudly', () => {
  const program = (source: string) => new URL(`data:text/javascript,${encodeURIComponent(source)}`)
  const port = "import { parentPort } from 'node:worker_threads'\n"
  const cases = [
    { name: 'it throws', entry: program("throw new Error('boom')"), says: /failed/ },
    { name: 'it rejects', entry: program("void Promise.reject(new Error('boom'))"), says: /failed/ },
    { name: 'it ends', entry: program('process.exit(0)'), says: /ended with code 0/ },
    { name: 'it runs out of work', entry: program(''), says: /ended with code 0/ },
    { name: 'it can not be loaded', entry: new URL('file:///there/is/none.js'), says: /failed/ },
    { name: 'it fails at work', entry: program(`${port}parentPort.on('message', () => nonsense())`), says: /failed/ },
  ]
  for (const { name, entry, says } of cases) {
    test(name, async () => {
      const cleanUps: (() => void | Promise<void>)[] = []
      const failures: Error[] = []
      const thread = startRenewalThread(
        { cleanUp: (action) => void cleanUps.push(action) },
        {},
        { entry, onFailed: (error) => failures.push(error) },
      )
      // Nobody waits for ever for what it can not answer any more.
      await assert.rejects(thread.grant(60, soon()), { code: 'closed' })
      await eventually('it is said', () => failures.length > 0)
      for (const cleanUp of cleanUps) await cleanUp()
      assert.ok(failures[0] instanceof InvariantError)
      assert.match(failures[0].message, says)
      assert.equal(failures.length, 1)
    })
  }

  test('it hangs: half a minute of turns of the main thread without an answer', (t) => {
    const cleanUps: (() => void | Promise<void>)[] = []
    const failures: string[] = []
    const thread = startRenewalThread(
      { cleanUp: (action) => void cleanUps.push(action) },
      {},
      {
        entry: program(`${port}parentPort.on('message', () => undefined)`),
        onFailed: (error) => failures.push(error.message),
      },
    )
    let nowMs = performance.now()
    t.mock.method(performance, 'now', () => nowMs)
    for (let second = 0; second < 30; second++, nowMs += 1_000) {
      thread.seen()
      thread.seen()
    }
    assert.deepEqual(failures, [])
    // A main thread that was stuck itself has asked nothing meanwhile.
    nowMs += 60_000
    thread.seen()
    assert.deepEqual(failures, ['the thread that renews leases does not answer'])
    for (const cleanUp of cleanUps) void cleanUp()
  })

  test('the operator stops as on SIGTERM, then says why and fails', async () => {
    const made = await mkdtemp(join(tmpdir(), 'renewal-thread-'))
    const kubeconfig = join(made, 'kubeconfig')
    const clusters = [{ name: 'c', cluster: { server: 'http://127.0.0.1:1' } }]
    const contexts = [{ name: 'c', context: { cluster: 'c', user: 'c' } }]
    await writeFile(
      kubeconfig,
      JSON.stringify({ clusters, contexts, users: [{ name: 'c', user: {} }], 'current-context': 'c' }),
    )
    const sabotage = program(`
      import { isMainThread } from 'node:worker_threads'
      if (!isMainThread) throw new Error('boom')
    `)
    const settings = [
      `--kubeconfig=${kubeconfig}`,
      '--etcd-endpoints=http://127.0.0.1:1',
      '--metrics-address=127.0.0.1:0',
    ]
    const args = [`--import=${sabotage.href}`, fileURLToPath(PROGRAM), 'operator', ...settings, '--log-format=json']
    try {
      await assert.rejects(run(process.execPath, args, { timeout: 15_000 }), (failure) => {
        assert.ok(failure instanceof Error)
        assert.equal(Reflect.get(failure, 'code'), 1)
        assert.match(String(Reflect.get(failure, 'stderr')), /the thread that renews leases failed[\s\S]*Error: boom/)
        assert.match(String(Reflect.get(failure, 'stdout')), /"msg":"operator stopped"/)
        return true
      })
    } finally {
      await rm(made, { recursive: true })
    }
  })
})
