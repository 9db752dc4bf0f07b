/** No silent freeze (L11): a view that has not been in step for a minute turns readiness false, and moves no endpoint. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startHttpFaultProxy } from '../support/http-fault-proxy.ts'
import { describeOperator } from '../support/operator-suite.ts'

describeOperator(
  'an operator that can not watch Pods any more',
  (suite) => {
    test('is not ready after a minute, keeps every endpoint, and is ready again once it can (L11, S4)', async () => {
      const scene = await suite.scene()
      const target = `${scene.name}/ledger`
      const labels = { app: 'ledger' }
      await scene.pod('a', { labels, ips: ['10.0.0.1'] })
      await scene.service('ledger', { pods: { selector: { matchLabels: labels }, port: 'grpc' } })
      const proxy = await startHttpFaultProxy(suite.api)
      suite.cleanUp(async () => proxy.stop())
      const operator = await suite.replace({ kubeconfig: proxy.kubeconfig })
      await suite.recorder.untilAddresses(target, ['10.0.0.1:50051'])
      assert.equal(await operator.health('/readyz'), 200)

      const armed = proxy.arm(({ path }) => path === '/api/v1/pods', { kind: 'cut' }, Number.MAX_SAFE_INTEGER)
      proxy.cutAll()
      await eventually('readiness is false', async () => (await operator.health('/readyz')) === 503, 75_000)
      assert.equal(await operator.health('/healthz'), 200)
      assert.deepEqual(suite.recorder.addresses(target), ['10.0.0.1:50051'])

      armed.disarm()
      await eventually('readiness is back', async () => (await operator.health('/readyz')) === 200, 15_000)
    })
  },
  { operator: false },
)
