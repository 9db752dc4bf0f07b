/**
 * Both ways between the official Go packages, of etcd client 3.5 and 3.7, and ours, on one etcd: what one writes the other lists, watches and
 * dials (S9), and neither loses a call when endpoints are replaced.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { startEtcd, type Etcd } from '../../dev/control-plane/etcd.ts'
import { freePort } from '../../dev/control-plane/free-port.ts'
import { EndpointManager, endpointKey } from '../../src/naming/index.ts'
import { eventually } from '../support/eventually.ts'
import {
  goList,
  startGoClient,
  startGoServer,
  startGoWatch,
  startGoWriter,
  type GoProgram,
} from '../support/go-client.ts'
import { namingTest } from '../support/naming-suite.ts'

const METADATA: unknown = { 'zone<a>': 'ü', weight: 1.5, tags: [null, true, 'a&b'] }
const CALLS = 3_500

for (const version of ['3.5', '3.7'] as const) {
  void describe(`what we write, Go's client ${version}`, { timeout: 120_000 }, () => {
    let etcd: Etcd
    let server: GoProgram
    let port: number
    before(async () => {
      etcd = await startEtcd()
      port = await freePort()
      server = await startGoServer({ port })
    })
    after(async () => {
      await server.stop()
      await etcd.stop()
    })

    /** The Go server answers on every loopback address: an endpoint each. */
    const managerOf = (target: string) => {
      const manager = new EndpointManager({ hosts: etcd.endpoint }, target)
      const addr = (host: number) => `127.1.0.${host}:${port}`
      const add = (host: number, metadata: unknown = null) => {
        const endpoint = { addr: addr(host), metadata }
        return { op: 'add', key: endpointKey(target, endpoint.addr), endpoint } as const
      }
      const remove = (host: number) => ({ op: 'delete', key: endpointKey(target, addr(host)) }) as const
      return { manager, addr, add, remove }
    }

    test('lists', async () => {
      const target = 'payments/list'
      const { manager, addr, add } = managerOf(target)
      await manager.update([add(1), add(2, METADATA)])
      manager.close()
      const neighbour = managerOf(`${target}_other`)
      await neighbour.manager.update([neighbour.add(3)])
      neighbour.manager.close()
      assert.deepEqual(await goList({ version, endpoint: etcd.endpoint, target }), [
        { key: `${target}/${addr(1)}`, addr: addr(1), metadata: null },
        { key: `${target}/${addr(2)}`, addr: addr(2), metadata: METADATA },
      ])
    })

    test('watches: an update of ours is one message, also one of 300', async () => {
      const target = 'payments/watch'
      const { manager, add, remove } = managerOf(target)
      await manager.update([add(1)])
      const watch = await startGoWatch({ version, endpoint: etcd.endpoint, target })
      await eventually('the first message', () => watch.messages.length === 1)
      await manager.update([remove(1), add(2, METADATA)])
      await manager.update(Array.from({ length: 300 }, (_, host) => add(host)))
      await eventually('all messages', () => watch.messages.length === 3)
      await watch.stop()
      manager.close()
      const [first, second, third] = watch.messages.map(({ updates }) => updates.map(({ op }) => op))
      assert.deepEqual([first, second], [['add'], ['delete', 'add']])
      assert.equal(third?.length, 300)
    })

    test('dials: calls are shared, and all are answered while endpoints are replaced', async () => {
      const target = 'payments/dial'
      const { manager, addr, add, remove } = managerOf(target)
      await manager.update([add(1), add(2)])
      const client = await startGoClient({ version, endpoint: etcd.endpoint, target, callsPerSecond: 500 })
      const peers: string[] = []
      client.onCall(({ peer }) => peers.push(peer))
      await eventually('both are called', () => new Set(peers.slice(-20)).size === 2)
      peers.length = 0
      await eventually('calls', () => peers.length >= CALLS)
      const share = peers.slice(0, CALLS).filter((peer) => peer === addr(1)).length / CALLS
      assert.ok(Math.abs(share - 0.5) <= 0.05, `${share * 100} % of calls reached one of two`)
      for (let host = 3; host < 10; host++) {
        await manager.update([remove(host - 2), add(host)])
        await eventually('the new one is called', () => peers.slice(-20).includes(addr(host)))
      }
      await client.stop()
      manager.close()
      assert.deepEqual(client.stats().errors, [])
    })
  })

  void describe(`what Go's client ${version} writes, we`, { timeout: 120_000 }, () => {
    namingTest('list and watch', async (stage) => {
      const etcd = await stage.etcd()
      const target = 'payments/ledger'
      const writer = await startGoWriter({ version, endpoint: etcd.endpoint, target })
      stage.cleanUp(() => writer.stop())
      const manager = stage.manager({ hosts: etcd.endpoint }, target)
      const followed = stage.follow(manager)
      const add = (addr: string, metadata: unknown = null) => ({ op: 'add', key: `${target}/${addr}`, addr, metadata })
      await writer.update([add('10.0.0.1:1'), add('10.0.0.2:1', METADATA)])
      await eventually('both', () => followed.addrs.size === 2)
      assert.deepEqual(
        [...(await manager.list())],
        [
          [`${target}/10.0.0.1:1`, { addr: '10.0.0.1:1', metadata: null }],
          [`${target}/10.0.0.2:1`, { addr: '10.0.0.2:1', metadata: METADATA }],
        ],
      )
      await writer.update([{ op: 'delete', key: `${target}/10.0.0.1:1` }, add('10.0.0.3:1')])
      await eventually('the replacement', () => followed.addrs.has(`${target}/10.0.0.3:1`))
      assert.deepEqual(
        followed.items.at(-1)?.updates.map(({ op, key }) => [op, key]),
        [
          ['delete', `${target}/10.0.0.1:1`],
          ['add', `${target}/10.0.0.3:1`],
        ],
      )
    })

    for (const loadBalancing of ['round_robin', undefined] as const) {
      namingTest(
        `dial by ${loadBalancing ?? 'pick_first'}: no call fails while Go replaces the endpoints`,
        async (stage) => {
          const etcd = await stage.etcd()
          const target = 'payments/ledger'
          const writer = await startGoWriter({ version, endpoint: etcd.endpoint, target })
          stage.cleanUp(() => writer.stop())
          const servers = await Promise.all(Array.from({ length: 5 }, () => stage.server()))
          const [first, second, ...others] = servers.map(({ addr }) => addr)
          assert.ok(first !== undefined && second !== undefined)
          const add = (addr: string) => ({ op: 'add', key: `${target}/${addr}`, addr })
          await writer.update([add(first), add(second)])
          const caller = stage.resolver({ hosts: etcd.endpoint }, { loadBalancing }).dial(target)
          if (loadBalancing === 'round_robin') {
            await eventually('both are called', async () => (await caller.spread(20)).size === 2)
            const share = ((await caller.spread(CALLS)).get(first) ?? 0) / CALLS
            assert.ok(Math.abs(share - 0.5) <= 0.05, `${share * 100} % of calls reached one of two`)
          } else assert.equal((await caller.spread(20)).size, 1)
          const load = caller.load()
          let present = [first, second]
          for (const next of others) {
            const [oldest = '', other = ''] = present
            await writer.update([{ op: 'delete', key: `${target}/${oldest}` }, add(next)])
            present = [other, next]
            await eventually(
              'calls reach present endpoints only',
              () => load.latest(20).size > 0 && [...load.latest(20)].every((addr) => present.includes(addr)),
            )
          }
          await load.stop()
          assert.deepEqual(load.failures, [])
          assert.ok(load.answered > 20)
        },
      )
    }
  })
}
