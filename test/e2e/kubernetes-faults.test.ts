/** The API server restarts or answers nonsense: no endpoint goes for it (S4), and what changed meanwhile is caught up (L1). */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startHttpFaultProxy, type Fault, type SeenRequest } from '../support/http-fault-proxy.ts'
import type { Namespace } from '../support/kubernetes.ts'
import { describeOperator } from '../support/operator-suite.ts'

const labels = { app: 'ledger' }
const spec = { pods: { selector: { matchLabels: labels }, port: 'grpc' } }
const two = ['10.0.0.1:50051', '10.0.0.2:50051']

describeOperator('the operator and a faulty API server', (suite) => {
  let scene: Namespace
  let target: string
  let mark: number
  beforeEach(async () => {
    scene = await suite.scene()
    target = `${scene.name}/ledger`
    await scene.pod('a', { labels, ips: ['10.0.0.1'] })
    await scene.pod('b', { labels, ips: ['10.0.0.2'] })
    await scene.service('ledger', spec)
    await suite.recorder.untilAddresses(target, two)
    mark = await suite.settled()
  })
  const eventsSince = (): readonly string[] =>
    suite.recorder
      .since(mark, `${target}/`)
      .flatMap(({ events }) => events.map(({ kind, key }) => `${kind} ${key.slice(target.length + 1)}`))

  test('a restart of the API server moves no endpoint, and Pods that change around it are followed (S8, L1)', async () => {
    await scene.pod('c', { labels, ips: ['10.0.0.3'], ready: false })
    const restarting = suite.api.restart()
    const ready = async () =>
      scene.setPod('c', { ips: ['10.0.0.3'] }).then(
        () => true,
        () => false,
      )
    await eventually('the first call that the new server answers', ready, 20_000)
    await restarting
    await suite.recorder.untilAddresses(target, [...two, '10.0.0.3:50051'], 15_000)
    await scene.delete('pods', 'a')
    await suite.recorder.untilAddresses(target, ['10.0.0.2:50051', '10.0.0.3:50051'], 15_000)
    await suite.settled()
    assert.deepEqual(eventsSince(), ['put 10.0.0.3:50051', 'delete 10.0.0.1:50051'])
  })

  const isPods = ({ path }: SeenRequest): boolean => path === '/api/v1/pods'
  const faults: readonly { readonly name: string; readonly fault: Fault }[] = [
    { name: 'errors', fault: { kind: 'answer', status: 500 } },
    {
      name: 'refusals',
      fault: { kind: 'answer', status: 403, body: { kind: 'Status', status: 'Failure', code: 403 } },
    },
    {
      name: 'lists without items',
      fault: { kind: 'answer', status: 200, body: { kind: 'PodList', apiVersion: 'v1', metadata: {} } },
    },
    { name: 'broken connections', fault: { kind: 'cut' } },
  ]

  test('an API server that answers for Pods with nonsense or not at all empties no service (S4)', async () => {
    await suite.operator.terminate()
    const proxy = await startHttpFaultProxy(suite.api)
    suite.cleanUp(async () => proxy.stop())
    await suite.replace({ kubeconfig: proxy.kubeconfig })
    for (const { name, fault } of faults) {
      const armed = proxy.arm(isPods, fault, Number.MAX_SAFE_INTEGER)
      proxy.cutAll()
      await eventually(`the operator met ${name} twice`, () => armed.used >= 2)
      armed.disarm()
    }
    await scene.delete('pods', 'a')
    await suite.recorder.untilAddresses(target, ['10.0.0.2:50051'], 20_000)
    await suite.operator.terminate()
    await suite.replace()
    await suite.settled()
    assert.deepEqual(eventsSince(), ['delete 10.0.0.1:50051'])
  })

  for (const { name, fault } of faults) {
    test(`an operator that starts and meets only ${name} for Pods writes nothing and is not ready (S4)`, async () => {
      await suite.operator.terminate()
      const proxy = await startHttpFaultProxy(suite.api)
      suite.cleanUp(async () => proxy.stop())
      const armed = proxy.arm(isPods, fault, Number.MAX_SAFE_INTEGER)
      const operator = suite.start({ kubeconfig: proxy.kubeconfig })
      await eventually('the operator has tried twice', () => armed.used >= 2)
      assert.equal(await operator.health('/healthz'), 200)
      assert.equal(await operator.health('/readyz'), 503)
      await operator.kill()
      await suite.replace()
      await suite.settled()
      assert.deepEqual(eventsSince(), [])
    })
  }
})
