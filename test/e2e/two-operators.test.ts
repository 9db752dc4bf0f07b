/** Two replicas: one writes, the other takes over without touching what is right (L4, S8); a deposed one can not write (S1). */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import type { Namespace } from '../support/kubernetes.ts'
import type { Operator } from '../support/operator.ts'
import { describeOperator } from '../support/operator-suite.ts'

const labels = { app: 'ledger' }
const spec = { pods: { selector: { matchLabels: labels }, port: 'grpc' } }
const electionTtlSeconds = 2
const args = [`--election-ttl-seconds=${electionTtlSeconds}`]

describeOperator(
  'two operators',
  (suite) => {
    let scene: Namespace
    let target: string
    let leader: Operator
    let standby: Operator
    let mark: number
    beforeEach(async () => {
      scene = await suite.scene()
      target = `${scene.name}/ledger`
      leader = suite.start({ args })
      await leader.untilLeading()
      standby = suite.start({ args })
      await standby.untilLog('campaigning')
      await scene.pod('a', { labels, ips: ['10.0.0.1'] })
      await scene.service('ledger', spec)
      await suite.recorder.untilAddresses(target, ['10.0.0.1:50051'])
      mark = await suite.settled()
    })
    const eventsSince = (): readonly string[] =>
      suite.recorder
        .since(mark, `${target}/`)
        .flatMap(({ events }) => events.map(({ kind, key }) => `${kind} ${key.slice(target.length + 1)}`))
    const leads = (operator: Operator): boolean => operator.log.some(({ msg }) => msg === 'leading')

    test('only one writes, and both are ready', async () => {
      await scene.pod('b', { labels, ips: ['10.0.0.2'] })
      await suite.settled()
      assert.deepEqual(eventsSince(), ['put 10.0.0.2:50051'])
      await eventually('the standby is ready', async () => (await standby.health('/readyz')) === 200)
      assert.equal(leads(standby), false)
    })

    test('after SIGTERM of the leader the standby leads at once, and no key moves (S8, S16)', async () => {
      await leader.terminate()
      const stoppedAtMs = performance.now()
      await standby.untilLeading()
      assert.ok(performance.now() - stoppedAtMs < 1_000)
      await suite.settled()
      assert.deepEqual(eventsSince(), [])
    })

    test('after SIGKILL of the leader the standby leads within the TTL and a second, and no key moves (L4, S8)', async () => {
      await leader.kill()
      const killedAtMs = performance.now()
      await standby.untilLeading()
      // etcd looks for expired leases twice a second and then commits.
      assert.ok(performance.now() - killedAtMs < electionTtlSeconds * 1_000 + 1_000)
      await suite.settled()
      assert.deepEqual(eventsSince(), [])
    })

    test('a leader that was stopped past its TTL and wakes up writes nothing any more (S1)', async () => {
      leader.pause()
      await standby.untilLeading()
      await scene.pod('b', { labels, ips: ['10.0.0.2'] })
      await suite.recorder.untilAddresses(target, ['10.0.0.1:50051', '10.0.0.2:50051'])
      await scene.delete('pods', 'a')
      await suite.recorder.untilAddresses(target, ['10.0.0.2:50051'])
      leader.resume()
      await leader.untilLog('no longer leading')
      await suite.settled()
      assert.deepEqual(eventsSince(), ['put 10.0.0.2:50051', 'delete 10.0.0.1:50051'])
      await standby.terminate()
      await eventually('the first leads again', () => leader.log.filter(({ msg }) => msg === 'leading').length === 2)
      await suite.settled()
      assert.equal(eventsSince().length, 2)
    })

    test('operators of two names share one etcd; each keeps its own election and Records', async () => {
      const other = suite.start({ args: [...args, '--operator-name=other', '--key-prefix=other/'] })
      await other.untilLeading()
      await suite.recorder.untilAddresses(`other/${target}`, ['10.0.0.1:50051'])
      await suite.settled()
      assert.deepEqual(eventsSince(), [])
      const elections = ['_grpcetcd/default/leader', '_grpcetcd/other/leader']
      assert.ok(elections.every((key) => suite.recorder.entries.has(key)))
    })
  },
  { operator: false },
)
