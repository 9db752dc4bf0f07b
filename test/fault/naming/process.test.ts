/** Beside faults: how a process ends that used the library, connections shared and own, two etcds at once, Unix sockets. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'node:test'
import { supervise } from '../../../dev/supervised-process.ts'
import { checkout } from '../../../dev/tools/catalogue.ts'
import { endpointKey, registerEtcdResolver } from '../../../src/naming/index.ts'
import { createCaller } from '../../support/caller.ts'
import { eventually } from '../../support/eventually.ts'
import { namingTest, publish, watchersOf, withdraw } from '../../support/naming-suite.ts'
import type { Stage } from '../../support/naming-suite.ts'

async function temporaryDirectory(stage: Stage): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'naming-'))
  stage.cleanUp(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** Runs `short-lived-client.ts` to its end. */
async function run(stage: Stage, hosts: string, mode: string) {
  const lines: string[] = []
  let doneAtMs = 0
  const child = supervise({
    command: process.execPath,
    args: [join(checkout, 'test/support/short-lived-client.ts'), hosts, mode],
    logFile: join(await temporaryDirectory(stage), 'stderr'),
    onLine: (line) => {
      lines.push(line)
      if (line === 'done') doneAtMs = performance.now()
    },
  })
  stage.cleanUp(() => child.stop(0))
  const status = await eventually(
    `"${mode}" ends by itself; it printed ${lines.join(', ')}`,
    () => child.status(),
    20_000,
  )
  assert.equal(status.code, 0, await child.logTail())
  return { lines, lingeredMs: performance.now() - doneAtMs }
}

describe('process', { concurrency: 3 }, () => {
  const modes: readonly (readonly [mode: string, want: readonly string[]])[] = [
    ['closes the client only', ['ok ADDR', 'done']],
    ['closes the resolver only', ['ok ADDR', 'ok ADDR', 'done']],
    ['closes the shared connection only', ['ok ADDR', 'ok true', 'done']],
    ['breaks a watch and closes nothing', ['ok 1', 'ok 1', 'done']],
  ]
  for (const [mode, want] of modes) {
    namingTest(`a process that ${mode} ends by itself, soon`, async (stage) => {
      const etcd = await stage.etcd()
      const server = await stage.server()
      await publish(stage.manager({ hosts: etcd.endpoint }, 'svc'), server.addr)
      const { lines, lingeredMs } = await run(stage, etcd.endpoint, mode)
      assert.deepEqual(
        lines,
        want.map((line) => line.replace('ADDR', server.addr)),
      )
      assert.ok(lingeredMs < 2_000, `lingered for ${lingeredMs} ms`)
    })
  }

  namingTest('a process that gives up while etcd is silent ends by itself, soon', async (stage) => {
    const etcd = await stage.etcd()
    etcd.pause()
    const { lines, lingeredMs } = await run(stage, etcd.endpoint, 'gives up while etcd is silent')
    assert.match(lines[0] ?? '', /^error 4 DEADLINE_EXCEEDED/)
    assert.ok(lingeredMs < 2_000, `lingered for ${lingeredMs} ms`)
  })

  namingTest('a closed manager or resolver leaves a shared connection open, and closes its own', async (stage) => {
    const etcd = await stage.etcd()
    const proxy = await stage.proxy(etcd)
    const hosts = `127.0.0.1:${proxy.port}`
    const server = await stage.server()
    await publish(stage.manager({ hosts: etcd.endpoint }, 'svc'), server.addr)
    const own = stage.manager({ hosts }, 'svc')
    await own.list()
    assert.equal(proxy.connections, 1)
    own.close()
    await eventually('its connection is closed', () => proxy.connections === 0)
    await assert.rejects(own.list(), { name: 'UnavailableError', code: 'closed' })

    const shared = stage.connection({ hosts })
    const [first, second] = [stage.manager(shared, 'svc'), stage.manager(shared, 'svc')]
    const resolver = stage.resolver(shared)
    const caller = resolver.dial('svc')
    await Promise.all([first.list(), second.list(), caller.call()])
    assert.equal(proxy.connections, 1, 'one connection for all')
    first.close()
    resolver.close()
    assert.equal((await second.list()).size, 1)
    assert.equal(await caller.call(), server.addr)
    shared.close()
    await eventually('closed', () => proxy.connections === 0)
    await assert.rejects(second.list(), { name: 'UnavailableError', code: 'closed' })
    assert.equal(await caller.call(), server.addr, 'channels keep what they have')
    assert.equal(await watchersOf(etcd), 0)
  })

  namingTest(
    'two schemes are two etcds in one process; a scheme that is registered again is for new channels',
    async (stage) => {
      const [left, right] = await Promise.all([stage.etcd(), stage.etcd()])
      const [l, r] = [await stage.server(), await stage.server()]
      await publish(stage.manager({ hosts: left.endpoint }, 'svc'), l.addr)
      await publish(stage.manager({ hosts: right.endpoint }, 'svc'), r.addr)
      const resolver = stage.resolver({ hosts: left.endpoint })
      const [toLeft, toRight] = [resolver.dial('svc'), stage.resolver({ hosts: right.endpoint }).dial('svc')]
      assert.deepEqual([await toLeft.call(), await toRight.call()], [l.addr, r.addr])
      const again = registerEtcdResolver({ hosts: right.endpoint }, { scheme: resolver.scheme })
      stage.cleanUp(() => {
        again.close()
      })
      const moved = createCaller(`${resolver.scheme}:///svc`, { 'grpc.primary_user_agent': 'new' })
      stage.cleanUp(() => {
        moved.close()
      })
      assert.deepEqual([await toLeft.call(), await moved.call()], [l.addr, r.addr])
    },
  )

  namingTest('Unix sockets, written in either way, and what can not be dialled beside them', async (stage) => {
    const etcd = await stage.etcd()
    const connection = stage.connection({ hosts: etcd.endpoint })
    const manager = stage.manager(connection, 'svc')
    const directory = await temporaryDirectory(stage)
    const sockets = [`unix:${join(directory, 'one.sock')}`, `unix://${join(directory, 'two.sock')}`]
    for (const listen of sockets) await stage.server({ listen })
    const bad = ['', 'nowhere', 'host:0', 'host:99999', 'unix:', '::1:5', '[::1:5']
    for (const addr of bad) await manager.addEndpoint(endpointKey('svc', `bad ${addr}`), { addr })
    await publish(manager, ...sockets)
    const resolver = stage.resolver(connection, { loadBalancing: 'round_robin' })
    const caller = resolver.dial('svc')
    await eventually('both answer', async () => new Set((await caller.spread(8)).keys()).size === 2)
    assert.deepEqual([...(await caller.spread(10)).values()], [5, 5])
    await withdraw(manager, ...sockets)
    await eventually('undialable addresses are no endpoints', () =>
      caller.call().then(
        () => false,
        (error: Error) => /no endpoints/.test(error.message),
      ),
    )
  })
})
