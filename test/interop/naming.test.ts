/** The official Go packages, of etcd client 3.5 and 3.7, list, watch and dial what our codec wrote (S9). */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { startEtcd, type Etcd } from '../../dev/control-plane/etcd.ts'
import { freePort } from '../../dev/control-plane/free-port.ts'
import { encodeEndpoint } from '../../src/naming/endpoint.ts'
import { endpointKey } from '../../src/naming/key.ts'
import { goList, startGoClient, startGoServer, startGoWatch, type GoProgram } from '../support/go-client.ts'

const METADATA: unknown = { 'zone<a>': 'ü', weight: 1.5, tags: [null, true, 'a&b'] }

describe('what we write, a stock Go client', () => {
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

  const publish = async (target: string, host: string, metadata?: unknown): Promise<string> => {
    const addr = `${host}:${port}`
    const key = endpointKey(target, addr)
    await etcd.etcdctl('put', '--', key, encodeEndpoint(metadata === undefined ? { addr } : { addr, metadata }))
    return key
  }

  for (const version of ['3.5', '3.7'] as const) {
    test(`of etcd ${version} lists`, { timeout: 60_000 }, async () => {
      const target = `list/v${version}`
      const plain = await publish(target, '127.1.0.1')
      const rich = await publish(target, '127.1.0.2', METADATA)
      await publish(`${target}_other`, '127.1.0.3')
      assert.deepEqual(await goList({ version, endpoint: etcd.endpoint, target }), [
        { key: plain, addr: `127.1.0.1:${port}`, metadata: null },
        { key: rich, addr: `127.1.0.2:${port}`, metadata: METADATA },
      ])
    })

    test(`of etcd ${version} watches`, { timeout: 60_000 }, async () => {
      const target = `watch/v${version}`
      const key = await publish(target, '127.1.0.1')
      const watch = await startGoWatch({ version, endpoint: etcd.endpoint, target })
      await until('the first message', () => watch.messages.length === 1)
      await etcd.etcdctl('del', key)
      await until('the deletion', () => watch.messages.length === 2)
      await watch.stop()
      assert.deepEqual(
        watch.messages.map(({ updates }) => updates.map(({ op, key: of }) => ({ op, of }))),
        [[{ op: 'add', of: key }], [{ op: 'delete', of: key }]],
      )
    })

    test(`of etcd ${version} dials, and follows without a failed call`, { timeout: 60_000 }, async () => {
      const target = `dial/v${version}`
      const first = await publish(target, '127.1.0.1')
      const client = await startGoClient({ version, endpoint: etcd.endpoint, target, callsPerSecond: 100 })
      await until('calls to the first', () => client.stats().byPeer.has(`127.1.0.1:${port}`))
      await publish(target, '127.1.0.2')
      await until('calls to the second', () => client.stats().byPeer.has(`127.1.0.2:${port}`))
      await etcd.etcdctl('del', first)
      const peers: string[] = []
      client.onCall(({ peer }) => peers.push(peer))
      await until(
        'calls to the second only',
        () => peers.slice(-20).filter((peer) => peer.startsWith('127.1.0.2')).length === 20,
      )
      await client.stop()
      assert.deepEqual(client.stats().errors, [])
    })
  }
})

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within 20 s: ${what}`)
    await sleep(10)
  }
}
