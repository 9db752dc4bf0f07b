/** One of three members is cut off from the others, or hangs: whoever follows by it moves to another one, or waits for it. */
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { UnavailableError } from '../../../src/naming/index.ts'
import { startEtcdCluster } from '../../support/etcd-cluster.ts'
import { eventually } from '../../support/eventually.ts'
import { namingTest, publish, withdraw } from '../../support/naming-suite.ts'
import type { Stage } from '../../support/naming-suite.ts'

async function cluster(stage: Stage) {
  const etcd = await startEtcdCluster()
  stage.cleanUp(() => etcd.stop())
  const { a, b, c } = etcd.members
  return { etcd, hosts: { a: a.endpoint, b: b.endpoint, c: c.endpoint } }
}

/** What follows `svc` by these hosts, the first one first. */
async function reader(stage: Stage, hosts: readonly string[], old: string) {
  const connection = stage.connection({ hosts })
  const manager = stage.manager(connection, 'svc')
  const seen = stage.follow(manager)
  const caller = stage.resolver(connection, { loadBalancing: 'round_robin' }).dial('svc')
  assert.equal(await caller.call(), old)
  await eventually('the first item', () => seen.items.length === 1)
  return { manager, seen, load: caller.load() }
}

describe('members', { concurrency: 2 }, () => {
  namingTest('a member that is cut off from its quorum is left for another one, and no call fails', async (stage) => {
    const { etcd, hosts } = await cluster(stage)
    const writer = stage.manager({ hosts: [hosts.b, hosts.c] }, 'svc')
    const [old, fresh] = [await stage.server(), await stage.server()]
    await publish(writer, old.addr)
    const { manager, seen, load } = await reader(stage, [hosts.a, hosts.b], old.addr)
    etcd.isolate('a')
    await eventually('the others elect a leader if they must', () => publish(writer, fresh.addr).catch(() => undefined))
    await withdraw(writer, old.addr)
    await eventually('the change is followed', () => load.latest(20).has(fresh.addr) && !load.latest(20).has(old.addr))
    await eventually('the list has it', () =>
      manager.list().then(
        (all) => all.has(`svc/${fresh.addr}`),
        () => false,
      ),
    )
    await load.stop()
    assert.deepEqual([load.failures, [...seen.addrs.values()], seen.end], [[], [fresh.addr], undefined])
  })

  namingTest(
    'the only member that is given is waited for: requests fail at once, the last list stays',
    async (stage) => {
      const { etcd, hosts } = await cluster(stage)
      const writer = stage.manager({ hosts: [hosts.b, hosts.c] }, 'svc')
      const [old, fresh] = [await stage.server(), await stage.server()]
      await publish(writer, old.addr)
      const { manager, seen, load } = await reader(stage, [hosts.a], old.addr)
      etcd.isolate('a')
      await eventually('it has no leader any more', () =>
        manager.list().then(
          () => false,
          (error: unknown) => error instanceof UnavailableError,
        ),
      )
      const startMs = performance.now()
      await assert.rejects(manager.list(), UnavailableError)
      assert.ok(performance.now() - startMs < 500)
      await eventually('the others write', () => publish(writer, fresh.addr).catch(() => undefined))
      assert.deepEqual([...seen.addrs.values()], [old.addr])
      etcd.heal()
      await eventually('it catches up', () => seen.addrs.size === 2 && load.latest(20).has(fresh.addr))
      await load.stop()
      assert.deepEqual([load.failures, seen.end], [[], undefined])
    },
  )

  namingTest('a member that hangs is left, and passed over at dial', async (stage) => {
    const { etcd, hosts } = await cluster(stage)
    const writer = stage.manager({ hosts: [hosts.b, hosts.c] }, 'svc')
    const [old, fresh] = [await stage.server(), await stage.server()]
    await publish(writer, old.addr)
    const { seen, load } = await reader(stage, [hosts.a, hosts.b, hosts.c], old.addr)
    etcd.members.a.pause()
    stage.cleanUp(() => {
      etcd.members.a.resume()
    })
    await eventually('the others write', () => publish(writer, fresh.addr).catch(() => undefined))
    const late = stage.connection({ hosts: [hosts.a, hosts.b], requestTimeoutMs: 1_000 })
    const caller = stage.resolver(late).dial('svc')
    const answer = await eventually('a dial finds the other', () => caller.call().catch(() => undefined), 4_000)
    assert.ok([old.addr, fresh.addr].includes(answer))
    await eventually('its silence is noticed', () => seen.addrs.size === 2 && load.latest(20).has(fresh.addr), 15_000)
    await load.stop()
    assert.deepEqual([load.failures, seen.end], [[], undefined])
  })
})
