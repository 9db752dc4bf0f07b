import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startEtcd } from '../../../dev/control-plane/etcd.ts'
import type { Etcd } from '../../../dev/control-plane/etcd.ts'
import { createEtcdClient } from '../../../src/etcd/client.ts'
import type { EtcdClient } from '../../../src/etcd/client.ts'
import { createLeaseKeeper } from '../../../src/etcd/lease-keeper.ts'
import { createWatcher } from '../../../src/etcd/watch.ts'
import { putNow, silent, soon } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'

const REQUEST_TIMEOUT_MS = 3_000

/** Accepts connections and never says a word. */
async function startHole() {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the hole has no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    connections: () => sockets.size,
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

// One version: what is tested is our side.
describe('the way to etcd', () => {
  let etcd: Etcd | undefined
  let hole: Awaited<ReturnType<typeof startHole>> | undefined
  const endpoint = () => etcd?.endpoint ?? ''
  const black = () => hole?.endpoint ?? ''
  before(async () => {
    ;[etcd, hole] = await Promise.all([startEtcd(), startHole()])
  })
  after(async () => {
    hole?.close()
    await etcd?.stop()
  })

  async function withClient(endpoints: readonly string[], use: (client: EtcdClient) => Promise<void>): Promise<void> {
    const client = createEtcdClient({ endpoints, requestTimeoutMs: REQUEST_TIMEOUT_MS, log: silent })
    try {
      await use(client)
    } finally {
      client.close()
    }
  }

  // Alone, because the environment is everybody's.
  test('a proxy for the web is never used', async () => {
    const names = ['grpc_proxy', 'https_proxy', 'http_proxy', 'no_grpc_proxy', 'no_proxy']
    const saved = names.map((name) => [name, process.env[name]] as const)
    for (const name of names) delete process.env[name]
    try {
      for (const name of names.slice(0, 3)) process.env[name] = 'http://127.0.0.1:1'
      await withClient([endpoint()], async (client) => {
        await client.status(soon())
      })
    } finally {
      for (const [name, value] of saved) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    }
  })

  // They wait far more than they compute.
  void describe('with its hosts', { concurrency: true }, () => {
    for (const { name, use } of [
      { name: 'read', use: (client: EtcdClient) => client.status(soon()) },
      { name: 'write', use: (client: EtcdClient) => putNow(client, 'hole/a') },
    ]) {
      test(`a host that accepts connections and never answers does not cost the first ${name}`, async () => {
        await withClient([black(), endpoint()], async (client) => {
          await use(client)
        })
      })
    }

    test('a host that never answers does not keep a watch and a lease from the others', async () => {
      await withClient([black(), black(), endpoint()], async (client) => {
        const startedAtMs = performance.now()
        const watcher = createWatcher({ client, log: silent })
        const keeper = createLeaseKeeper({ client, log: silent })
        const seen: number[] = []
        watcher.watch({
          range: { key: 'hole/watched' },
          startRevision: 1,
          onEvents: (_, revision) => seen.push(revision),
          onCompacted: () => assert.fail('nothing was compacted'),
          onStoreChanged: () => assert.fail('nothing was replaced'),
        })
        keeper.add('adce12', 60)
        try {
          await withClient([endpoint()], async (direct) => {
            await direct.leaseGrant('adce12', 60, soon())
            await putNow(direct, 'hole/watched')
          })
          await eventually('the event', () => seen.length === 1)
          await eventually('the lease is known', () => keeper.state('adce12').kind !== 'unknown')
          assert.ok(performance.now() - startedAtMs < REQUEST_TIMEOUT_MS)
        } finally {
          watcher.close()
          keeper.close()
        }
      })
    })

    test('a write that only such hosts could take was definitely not applied', async () => {
      await withClient([black(), black()], async (client) => {
        const startedAtMs = performance.now()
        await assert.rejects(putNow(client, 'hole/b'), { name: 'UnavailableError', code: 'DEADLINE_EXCEEDED' })
        assert.ok(performance.now() - startedAtMs < REQUEST_TIMEOUT_MS + 1_000)
      })
    })

    test('an aborted call does not wait for a connection that is being made', async () => {
      await withClient([black(), endpoint()], async (client) => {
        const startedAtMs = performance.now()
        const other = client.status(soon())
        const aborted = { name: 'UnavailableError', code: 'aborted' }
        await assert.rejects(client.status(AbortSignal.timeout(50)), aborted)
        const handlers = { onMessage: () => undefined, onEnd: () => undefined }
        await assert.rejects(client.openWatch(handlers, AbortSignal.timeout(50)), aborted)
        assert.ok(performance.now() - startedAtMs < 1_000)
        // The connection was not theirs alone.
        await other
      })
    })

    test('a client that is closed under a call says so', async () => {
      for (const warm of [false, true]) {
        await withClient([endpoint()], async (client) => {
          if (warm) await client.status(soon())
          const calls = [client.status(soon()), putNow(client, 'closed/a')]
          const opening = client.openWatch({ onMessage: () => undefined, onEnd: () => undefined }, soon())
          client.close()
          for (const call of [...calls, opening])
            await assert.rejects(call, { name: 'UnavailableError', code: 'closed' })
        })
      }
      await withClient([black()], async (client) => {
        const waiting = client.status(soon())
        await eventually('it is connecting', () => (hole?.connections() ?? 0) > 0)
        client.close()
        await assert.rejects(waiting, { name: 'UnavailableError', code: 'closed' })
      })
    })

    test('an idle connection sends no pings, which etcd would throw it out for, and is given up', async () => {
      const proxy = await startTcpProxy(etcd?.port ?? 0)
      try {
        await withClient([`http://127.0.0.1:${proxy.port}`], async (client) => {
          await client.status(soon())
          // It acknowledges what etcd sent with the answer.
          await delay(500)
          const sent = proxy.bytesToServer
          // The interval of the pings is 6 s.
          await delay(7_000)
          assert.deepEqual([proxy.connections, proxy.bytesToServer], [1, sent])
          await eventually('it is given up', () => proxy.connections === 0, 20_000)
          await client.status(soon())
        })
      } finally {
        await proxy.close()
      }
    })
  })
})
