/** Many faults in any order, while endpoints come and go: whatever happened, everybody has the same set soon after, and no call failed. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { endpointKey } from '../../../src/naming/index.ts'
import { eventually } from '../../support/eventually.ts'
import { namingTest, publish, withdraw } from '../../support/naming-suite.ts'

const DURATION_MS = 12_000
/** How many changes there are for one fault. */
const CHANGES_A_FAULT = 4
const FAULTS = ['cut', 'blackhole', 'refuse', 'accept', 'pause', 'resume', 'compact'] as const

describe('any fault', () => {
  namingTest(
    'after cuts, silences, refusals and compactions in any order all have one set, and no call failed',
    async (stage) => {
      const etcd = await stage.etcd()
      const proxies = [await stage.proxy(etcd), await stage.proxy(etcd)] as const
      const hosts = proxies.map(({ port }) => `127.0.0.1:${port}`)
      const reader = stage.connection({ hosts, requestTimeoutMs: 1_000 })
      const manager = stage.manager({ hosts: etcd.endpoint }, 'svc')
      const [stays, ...others] = await Promise.all(Array.from({ length: 5 }, () => stage.server()))
      if (stays === undefined) return assert.fail()
      await publish(manager, stays.addr)

      const resolver = stage.resolver(reader, { loadBalancing: 'round_robin' })
      const spy = resolver.spy('svc')
      const seen = stage.follow(stage.manager(reader, 'svc'))
      const caller = resolver.dial('svc')
      await caller.call()
      const load = caller.load()

      let compacted = 0
      const compact = async (revision: number) => {
        // Deleting what is not there makes no revision, and etcd compacts none twice.
        if (revision > compacted) await etcd.etcdctl('compaction', String(revision))
        compacted = revision
      }
      const told: string[] = []
      const endMs = performance.now() + DURATION_MS
      while (performance.now() < endMs) {
        const addr = others[randomInt(others.length)]?.addr ?? ''
        const { revision } = await (randomInt(2) === 0 ? publish(manager, addr) : withdraw(manager, addr))
        const fault = FAULTS[randomInt(FAULTS.length * CHANGES_A_FAULT)]
        if (fault === 'compact') await compact(revision)
        else if (fault !== undefined) proxies[randomInt(2) === 0 ? 0 : 1][fault]()
        if (fault !== undefined) told.push(fault)
        await delay(randomInt(60))
      }
      for (const proxy of proxies) {
        proxy.accept()
        proxy.resume()
      }
      const listed = [...(await manager.list()).keys()]
      const isListed = (addrs: Iterable<string>) =>
        new Set(listed).symmetricDifference(new Set([...addrs].map((addr) => endpointKey('svc', addr)))).size === 0
      await eventually(
        `watch and resolver have what is listed, after ${told.join(' ')}`,
        () => {
          const push = spy.pushes.at(-1)
          return isListed(seen.addrs.values()) && push !== undefined && 'addrs' in push && isListed(push.addrs)
        },
        20_000,
      )
      await load.stop()
      assert.deepEqual([load.failures, seen.end], [[], undefined])
      assert.ok(spy.pushes.length > 3 && spy.pushes.every((push) => 'addrs' in push))
    },
  )
})
