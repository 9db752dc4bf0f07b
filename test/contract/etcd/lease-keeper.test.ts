/** What both lease keepers promise: the one in this thread, and the operator's, which works in a thread of its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EtcdVersion } from '../../../dev/control-plane/etcd.ts'
import type { LeaseId } from '../../../src/etcd/kv.ts'
import type { LeaseKeeper } from '../../../src/etcd/lease-keeper.ts'
import { describeEtcd, leasesOf, soon } from '../../support/etcd-suite.ts'
import type { EtcdSuite } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'
import { startRenewalThread } from '../../support/renewal-thread.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import type { TcpProxy } from '../../support/tcp-proxy.ts'

function validUntil(keeper: LeaseKeeper, id: string): number | undefined {
  const state = keeper.state(id)
  return state.kind === 'alive' ? state.validUntilMs : undefined
}

async function proxied(suite: EtcdSuite): Promise<TcpProxy & { readonly endpoint: string }> {
  const proxy = await startTcpProxy(suite.etcd.port)
  suite.cleanUp(() => proxy.close())
  return Object.assign(proxy, { endpoint: `http://127.0.0.1:${proxy.port}` })
}

type Keep = (suite: EtcdSuite, endpoint: string, onLost?: (id: LeaseId) => void) => LeaseKeeper

const implementations: readonly {
  readonly name: string
  readonly keep: Keep
  readonly versions?: readonly EtcdVersion[]
}[] = [
  {
    name: 'lease keeper',
    keep: (suite, endpoint, onLost) => suite.keeper(suite.client({ endpoints: [endpoint] }), onLost),
  },
  {
    name: 'renewal thread',
    keep: (suite, endpoint, onLost = () => undefined) =>
      startRenewalThread(suite, { etcdEndpoints: [endpoint] }, { onLost }),
    // It is the same keeper that talks to etcd.
    versions: ['3.7'],
  },
]

for (const { name, keep, versions } of implementations) describeLeaseKeeper(name, keep, versions)

function describeLeaseKeeper(name: string, keep: Keep, versions?: readonly EtcdVersion[]): void {
  describeEtcd(
    name,
    (suite) => {
      test('a granted lease is alive at once and outlives its TTL', async () => {
        const keeper = keep(suite, suite.etcd.endpoint)
        const id = await keeper.grant(2, soon())
        assert.match(id, /^[1-9a-f][0-9a-f]*$/)
        const first = validUntil(keeper, id)
        assert.ok(first !== undefined && first <= performance.now() + 2_000)
        await eventually(
          'two renewals later',
          () => performance.now() > first + 500 && (validUntil(keeper, id) ?? 0) > first,
        )
        assert.match(await suite.etcd.etcdctl('lease', 'timetolive', id), /granted with TTL\(2s\), remaining\([12]s\)/)
      })

      test('a lease granted by somebody else is adopted within one round trip', async () => {
        const keeper = keep(suite, suite.etcd.endpoint)
        await suite.client().leaseGrant('adce11', 60, soon())
        assert.equal(keeper.state('adce11').kind, 'unknown')
        keeper.add('adce11', 60)
        await eventually('acknowledged', () => keeper.state('adce11').kind === 'alive', 1_000)
      })

      test('a lease that is not there is lost, once', async () => {
        const lost: string[] = []
        const keeper = keep(suite, suite.etcd.endpoint, (id) => lost.push(id))
        keeper.add('dead1', 60)
        await eventually('lost', () => keeper.state('dead1').kind === 'lost')
        keeper.check('dead1')
        const id = await keeper.grant(60, soon())
        await suite.etcd.etcdctl('lease', 'revoke', id)
        keeper.check(id)
        await eventually('lost too', () => keeper.state(id).kind === 'lost')
        assert.deepEqual(lost, ['dead1', id])
      })

      test('a lease that was lost while we were cut off is known as soon as we are back, not at its next renewal', async () => {
        const proxy = await proxied(suite)
        const lost: string[] = []
        const keeper = keep(suite, proxy.endpoint, (id) => lost.push(id))
        const id = await keeper.grant(600, soon())
        keeper.check(id)
        const granted = validUntil(keeper, id) ?? 0
        await eventually('renewed once', () => (validUntil(keeper, id) ?? 0) > granted)
        proxy.refuse()
        await suite.etcd.etcdctl('lease', 'revoke', id)
        proxy.accept()
        await eventually('lost', () => lost.includes(id))
      })

      test('a removed lease is left to expire', async () => {
        const keeper = keep(suite, suite.etcd.endpoint)
        const id = await keeper.grant(2, soon())
        keeper.remove(id)
        assert.equal(keeper.state(id).kind, 'unknown')
        await eventually('expired', async () =>
          /already expired/.test(await suite.etcd.etcdctl('lease', 'timetolive', id)),
        )
      })

      test('a lease survives cuts and a silently dead connection', async () => {
        const proxy = await proxied(suite)
        const lost: string[] = []
        const keeper = keep(suite, proxy.endpoint, (id) => lost.push(id))
        const id = await keeper.grant(6, soon())
        for (const fault of [() => proxy.cut(), () => proxy.blackhole()]) {
          const before = validUntil(keeper, id) ?? 0
          fault()
          await eventually('renewed all the same', () => (validUntil(keeper, id) ?? 0) > before, 6_000)
        }
        assert.deepEqual(lost, [])
      })

      test('validity ends on our own clock when nothing is answered, without a claim that the lease is lost', async () => {
        const proxy = await proxied(suite)
        const lost: string[] = []
        const keeper = keep(suite, proxy.endpoint, (id) => lost.push(id))
        const id = await keeper.grant(2, soon())
        proxy.refuse()
        await eventually('unknown', () => keeper.state(id).kind === 'unknown', 2_500)
        assert.deepEqual(lost, [])
      })

      test('a grant whose reply was lost is one lease', async () => {
        const proxy = await proxied(suite)
        const keeper = keep(suite, proxy.endpoint)
        // So that it is connected.
        await keeper.grant(60, soon())
        proxy.pause('to-client')
        const known = await leasesOf(suite.etcd)
        const granting = keeper.grant(77, soon())
        await eventually('etcd has it', async () => (await leasesOf(suite.etcd)).difference(known).size > 0)
        proxy.cut()
        proxy.resume()
        const id = await granting
        assert.match(await suite.etcd.etcdctl('lease', 'timetolive', id), /TTL\(77s\)/)
      })

      test('a grant that was given up leaves no lease behind', async () => {
        const proxy = await proxied(suite)
        const keeper = keep(suite, proxy.endpoint)
        // So that it is connected.
        await keeper.grant(60, soon())
        const known = await leasesOf(suite.etcd)
        proxy.pause('to-client')
        const giving = new AbortController()
        const outcome = assert.rejects(keeper.grant(600, giving.signal), { code: 'aborted' })
        const [granted] = await eventually('etcd has it', async () => {
          const found = (await leasesOf(suite.etcd)).difference(known)
          return found.size === 1 && found
        })
        giving.abort()
        await outcome
        await eventually('it is revoked', async () => !(await leasesOf(suite.etcd)).has(granted ?? ''))
      })

      test('2,000 leases are renewed spread over the time, not in a burst', async () => {
        const client = suite.client()
        const keeper = keep(suite, suite.etcd.endpoint)
        const ids = Array.from({ length: 2_000 }, (_, n) => (0x5000 + n).toString(16))
        await Promise.all(ids.map((id) => client.leaseGrant(id, 9, soon())))
        for (const id of ids) keeper.add(id, 9)
        await eventually('all acknowledged', () => ids.every((id) => keeper.state(id).kind === 'alive'))
        /** When each was sent, as its validity tells. */
        const sentAt = (): readonly number[] => ids.map((id) => (validUntil(keeper, id) ?? 0) - 9_000)
        const first = sentAt()
        const second = await eventually('all renewed again', () => {
          const now = sentAt()
          return now.every((at, index) => at > (first[index] ?? 0)) && now
        })
        const busiest = Math.max(...second.map((from) => second.filter((at) => at >= from && at < from + 100).length))
        assert.ok(busiest <= 700, `${busiest} renewals within 100 ms`)
      })
    },
    versions === undefined ? {} : { versions },
  )
}
