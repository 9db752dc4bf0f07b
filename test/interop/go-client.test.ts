/** What the suites and the bench ask of the Go programs, beyond reading: they write, balance and measure as they say. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startEtcd, type Etcd } from '../../dev/control-plane/etcd.ts'
import { freePort } from '../../dev/control-plane/free-port.ts'
import { eventually } from '../support/eventually.ts'
import {
  goList,
  goListTimings,
  startGoClient,
  startGoResolver,
  startGoServer,
  startGoWriter,
  type GoProgram,
} from '../support/go-client.ts'

describe('a Go program', () => {
  let etcd: Etcd
  let server: GoProgram
  let port: number
  before(
    async () => {
      etcd = await startEtcd()
      port = await freePort()
      server = await startGoServer({ port })
    },
    { timeout: 120_000 },
  )
  after(async () => {
    await server.stop()
    await etcd.stop()
  })

  for (const version of ['3.5', '3.7'] as const) {
    const optionsOf = (name: string) => ({ version, endpoint: etcd.endpoint, target: `${name}/v${version}` })
    const publish = async (name: string, hosts: readonly string[]): Promise<void> => {
      const writer = await startGoWriter(optionsOf(name))
      const addrs = hosts.map((host) => `${host}:${port}`)
      await writer.update(addrs.map((addr) => ({ op: 'add', key: `${name}/v${version}/${addr}`, addr })))
      await writer.stop()
    }

    test(`of ${version} writes, and refuses in Go's words`, { timeout: 60_000 }, async () => {
      const options = optionsOf('write')
      const key = `${options.target}/a`
      const writer = await startGoWriter(options)
      const metadata = { 'b<': [1.5, null], a: 'é' }
      await writer.update([{ op: 'add', key, addr: 'a:1', metadata }])
      assert.deepEqual(await goList(options), [{ key, addr: 'a:1', metadata }])

      const [add, remove] = [
        { op: 'add', key: `${key}b`, addr: 'b:1' },
        { op: 'delete', key },
      ]
      await assert.rejects(
        writer.update([add, { op: 'add', key: 'other/a', addr: 'b:1' }]),
        new RegExp(`endpoints: endpoint key should be prefixed with '${options.target}/' got: 'other/a'`),
      )
      await assert.rejects(writer.update([add, { op: 'move', key }]), /endpoints: bad update op/)
      await assert.rejects(writer.update([add, add]), /duplicate key given in txn request/)
      assert.equal((await goList(options)).length, 1)

      await writer.update([add, remove])
      assert.deepEqual(await goList(options), [{ key: `${key}b`, addr: 'b:1', metadata: null }])
      await writer.update([])
      await writer.stop()
    })

    for (const { policy, peers } of [
      { policy: 'pick_first', peers: 1 },
      { policy: 'round_robin', peers: 2 },
    ] as const) {
      test(`of ${version} reaches ${peers} of 2 servers by ${policy}`, { timeout: 60_000 }, async () => {
        await publish(policy, ['127.1.0.1', '127.1.0.2'])
        const client = await startGoClient({ ...optionsOf(policy), policy, callsPerSecond: 100 })
        await eventually('50 calls', () => client.stats().calls >= 50)
        await client.stop()
        const { failed, byPeer } = client.stats()
        assert.deepEqual({ failed, peers: byPeer.size }, { failed: 0, peers })
      })
    }

    test(
      `of ${version} tells every list of addresses, when it came, and its own size`,
      { timeout: 60_000 },
      async () => {
        await publish('resolve', ['127.1.0.1'])
        const resolver = await startGoResolver(optionsOf('resolve'))
        await eventually('the first list', () => resolver.updates.length === 1)
        const before = Date.now()
        await publish('resolve', ['127.1.0.2'])
        await eventually('the second list', () => resolver.updates.length === 2)
        const after = Date.now()
        const bytes = await resolver.residentBytes()
        await resolver.stop()
        assert.deepEqual(
          resolver.updates.map(({ addresses }) => addresses),
          [[`127.1.0.1:${port}`], [`127.1.0.1:${port}`, `127.1.0.2:${port}`]],
        )
        const atMs = resolver.updates[1]?.atMs ?? 0
        assert.ok(atMs >= before && atMs <= after + 1, `${before} ${atMs} ${after}`)
        assert.ok(bytes > 4e6 && bytes < 2e8, String(bytes))
      },
    )

    test(`of ${version} measures its own lists`, { timeout: 60_000 }, async () => {
      await publish('bench', ['127.1.0.1', '127.1.0.2', '127.1.0.3'])
      const timings = await goListTimings({ ...optionsOf('bench'), times: 5 })
      assert.deepEqual(
        timings.map(({ endpoints }) => endpoints),
        [3, 3, 3, 3, 3],
      )
      assert.ok(timings.every(({ durationMs }) => durationMs > 0))
    })
  }
})
