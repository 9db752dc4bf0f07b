/** Etcd's history is not what the watch believes: compacted while it was cut off, restored from a backup, or another cluster's. */
import assert from 'node:assert/strict'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe } from 'node:test'
import type { Etcd } from '../../../dev/control-plane/etcd.ts'
import { eventually } from '../../support/eventually.ts'
import { namingTest, publish, withdraw } from '../../support/naming-suite.ts'
import type { Stage } from '../../support/naming-suite.ts'

/** Three servers, a reader behind a proxy with everything that follows the target `svc`, and a writer that nothing happens to. */
async function scene(stage: Stage, etcd: Etcd) {
  const proxy = await stage.proxy(etcd)
  const reader = stage.connection({ hosts: `127.0.0.1:${proxy.port}` })
  const manager = stage.manager({ hosts: etcd.endpoint }, 'svc')
  const resolver = stage.resolver(reader, { loadBalancing: 'round_robin' })
  const [a, b, c] = await Promise.all([stage.server(), stage.server(), stage.server()])
  return {
    proxy,
    manager,
    caller: resolver.dial('svc'),
    a: a.addr,
    b: b.addr,
    c: c.addr,
    follow: () => {
      const seen = stage.follow(stage.manager(reader, 'svc'))
      const spy = resolver.spy('svc')
      const has = (...addrs: readonly string[]) =>
        eventually(`watch and resolver have ${addrs.join(' ')}`, () => {
          const push = spy.pushes.at(-1)
          const pushed = push !== undefined && 'addrs' in push ? push.addrs : []
          return same([...seen.addrs.values()], addrs) && same(pushed, addrs)
        })
      return { seen, spy, has }
    },
  }
}

describe('history', { concurrency: 3 }, () => {
  namingTest(
    'what was compacted during a cut is read again: the watch tells the difference, no call fails',
    async (stage) => {
      const etcd = await stage.etcd()
      const { proxy, manager, caller, follow, a, b, c } = await scene(stage, etcd)
      await publish(manager, a, b)
      const { seen, spy, has } = follow()
      await has(a, b)
      await caller.call()
      const load = caller.load()
      proxy.refuse()
      await withdraw(manager, b)
      const { revision } = await publish(manager, c)
      await etcd.etcdctl('compaction', String(revision))
      proxy.accept()
      await has(a, c)
      await eventually('calls go to the new one', () => load.latest(30).has(c) && !load.latest(30).has(b))
      await load.stop()
      assert.deepEqual(load.failures, [])
      assert.deepEqual(
        seen.items.slice(1).map((item) => [item.revision, item.updates.length]),
        [[revision, 2]],
      )
      assert.equal(spy.pushes.length, 2)
    },
  )

  namingTest('a compaction and a short cut over a quiet target lose nothing and tell nothing', async (stage) => {
    const etcd = await stage.etcd()
    const { proxy, manager, follow, a, b } = await scene(stage, etcd)
    await publish(manager, a)
    const { seen, spy, has } = follow()
    await has(a)
    for (let n = 0; n < 3; n++) {
      for (let m = 0; m < 20; m++) await publish(stage.manager({ hosts: etcd.endpoint }, 'elsewhere'), a)
      const { revision } = await publish(stage.manager({ hosts: etcd.endpoint }, 'elsewhere'), b)
      await etcd.etcdctl('compaction', String(revision), '--physical')
      proxy.cut()
      await eventually('it is connected again', () => proxy.connections > 0)
    }
    await publish(manager, b)
    await has(a, b)
    assert.deepEqual([seen.items.length, spy.pushes.length, seen.end], [2, 2, undefined])
  })

  namingTest('an etcd restored from a backup is read again although its revision went back', async (stage) => {
    const etcd = await stage.etcd()
    const { manager, caller, follow, a, b, c } = await scene(stage, etcd)
    await publish(manager, a, b)
    const backup = join(etcd.dataDir, '..', 'backup')
    await etcd.kill()
    await cp(etcd.dataDir, backup, { recursive: true })
    await etcd.restart()
    await publish(manager, c)
    for (let n = 0; n < 20; n++) await withdraw(manager, a)
    const { seen, has } = follow()
    await has(b, c)
    const { revision } = await publish(manager, c)
    await caller.call()
    const load = caller.load()
    await etcd.kill()
    await rm(etcd.dataDir, { recursive: true })
    await cp(backup, etcd.dataDir, { recursive: true })
    await etcd.restart()
    await has(a, b)
    const restored = seen.items.at(-1)?.revision ?? 0
    assert.ok(restored < revision, `${restored} < ${revision}`)
    await publish(manager, c)
    await has(a, b, c)
    await eventually('calls go to all', () => load.latest(60).size === 3)
    await load.stop()
    assert.deepEqual([load.failures, seen.end], [[], undefined])
  })

  namingTest('an etcd restored from a backup is read again although it is past our revision again', async (stage) => {
    const etcd = await stage.etcd()
    const { proxy, manager, caller, follow, a, b, c } = await scene(stage, etcd)
    const backup = join(etcd.dataDir, '..', 'backup')
    await publish(manager, a, b)
    await etcd.kill()
    await cp(etcd.dataDir, backup, { recursive: true })
    await etcd.restart()
    await withdraw(manager, a)
    await publish(manager, c)
    const { seen, has } = follow()
    await has(b, c)
    await caller.call()
    const load = caller.load()
    proxy.refuse()
    await etcd.kill()
    await rm(etcd.dataDir, { recursive: true })
    await cp(backup, etcd.dataDir, { recursive: true })
    await etcd.restart()
    // More revisions than were lost, none of them about what differs.
    for (let n = 0; n < 20; n++) await publish(stage.manager({ hosts: etcd.endpoint }, 'elsewhere'), a)
    proxy.accept()
    await has(a, b)
    await eventually('calls go to both', () => load.latest(30).size === 2 && !load.latest(30).has(c))
    await load.stop()
    assert.deepEqual([load.failures, seen.end], [[], undefined])
  })

  namingTest('another cluster at the same address is read as what it is', async (stage) => {
    const etcd = await stage.etcd()
    const { manager, caller, follow, a, b, c } = await scene(stage, etcd)
    await publish(manager, a, b)
    const extraArgs = ['--initial-cluster-token=other']
    const other = await stage.etcd({ extraArgs })
    const elsewhere = stage.manager({ hosts: other.endpoint }, 'svc')
    for (let n = 0; n < 10; n++) await publish(elsewhere, b, c)
    const { seen, has } = follow()
    await has(a, b)
    await caller.call()
    const load = caller.load()
    await Promise.all([etcd.kill(), other.kill()])
    await stage.etcd({ extraArgs, clientPort: etcd.port, dataDir: other.dataDir })
    await has(b, c)
    await withdraw(manager, b)
    await has(c)
    await eventually('calls go there', () => load.latest(30).size === 1 && load.latest(30).has(c))
    await load.stop()
    assert.deepEqual([load.failures, seen.end], [[], undefined])
  })
})

function same(a: readonly string[], b: readonly string[]): boolean {
  return JSON.stringify([...a].sort()) === JSON.stringify([...b].sort())
}
