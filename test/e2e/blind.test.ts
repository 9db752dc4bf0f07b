/** A replica that has lost its Kubernetes renews until the blind bound, and no longer (`--max-blind-seconds`); nothing is deleted for it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startHttpFaultProxy } from '../support/http-fault-proxy.ts'
import { describeOperator } from '../support/operator-suite.ts'

const STOPPED = /^Kubernetes was not seen for --max-blind-seconds/

describeOperator(
  'an operator whose API server is away for longer than the blind bound',
  (suite) => {
    test('stops renewing and says so once, goes on when the API server is back, and moves no key (L5, S8, S16)', async () => {
      const scene = await suite.scene()
      const target = `${scene.name}/ledger`
      const labels = { app: 'ledger' }
      await scene.pod('a', { labels, ips: ['10.0.0.1'] })
      await scene.service('ledger', { pods: { selector: { matchLabels: labels }, port: 'grpc' } })
      const proxy = await startHttpFaultProxy(suite.api)
      suite.cleanUp(async () => proxy.stop())
      const operator = await suite.replace({ kubeconfig: proxy.kubeconfig, args: ['--max-blind-seconds=10'] })
      await suite.recorder.untilAddresses(target, ['10.0.0.1:50051'])
      const mark = await suite.recorder.mark()

      const armed = proxy.arm(() => true, { kind: 'cut' }, Number.MAX_SAFE_INTEGER)
      proxy.cutAll()
      const stopped = await operator.untilLog(STOPPED, 25_000)
      assert.deepEqual([stopped['level'], stopped['leases'], stopped['maxBlindSeconds']], [50, 1, 10])

      armed.disarm()
      await operator.untilLog(/^Kubernetes is seen again/, 25_000)
      await eventually('it is ready', async () => (await operator.health('/readyz')) === 200, 15_000)
      assert.equal(operator.log.filter(({ msg }) => STOPPED.test(msg)).length, 1)
      assert.deepEqual(suite.recorder.since(mark, `${target}/`), [])
    })
  },
  { operator: false },
)
