/**
 * `make demo`: a Deployment scales and restarts while a stock Go client that dials `etcd:///demo/greeter` follows it. Everything is real but
 * the kubelet (kwok) and the Pods' containers: one gRPC server on this machine answers at the addresses of all Pods, also of those that are
 * gone. So a failed call means that the way from Kubernetes to the client's address list broke: an empty or a wrong list. Exit code 0: none.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { startGoClient, type GoClient } from '../test/support/go-client.ts'
import { kwokNode } from './control-plane/kwok.ts'
import { watchTarget } from './demo/etcd-watch.ts'
import { greeter, greeterEndpoint, target } from './demo/examples.ts'
import { narrate, say, showLine, showSummary } from './demo/output.ts'
import { watchSources } from './demo/sources.ts'
import { setStage } from './demo/stage.ts'
import { Timeline } from './demo/timeline.ts'
import { playgroundTools } from './playground.ts'
import { checkout } from './tools/catalogue.ts'
import { findTool } from './tools/find.ts'
import { formatSeconds } from './tools/progress.ts'

const CALLS_PER_SECOND = 200
const ACT_TIMEOUT_MS = 30_000
/** After each act the client goes on this long, about a second: an address list that breaks late still shows. */
const CALLS_AFTER_AN_ACT = CALLS_PER_SECOND
const MAX_ERRORS_SHOWN = 5

const onKwok = { spec: { template: { spec: { nodeName: kwokNode } } } }

const startedAt = performance.now()
const running: { readonly stop: () => unknown }[] = []
const broken = Promise.withResolvers<never>()

async function play(): Promise<boolean> {
  for (const tool of [...playgroundTools, 'go-client-3.7'] as const) await findTool(tool)
  const { api, etcd, serverPort } = await setStage({ running, say })

  const endpoint = await greeterEndpoint(serverPort)
  const timeline = new Timeline((line) => showLine(line, target))
  const onChanges = timeline.stored.bind(timeline)
  running.push(await watchTarget({ etcd, target, onChanges }))
  const namespace = 'demo'
  const onBroken = broken.reject
  running.push(await watchSources({ api, namespace, port: serverPort, timeline, onBroken }))

  const settled = async (endpoints: number): Promise<void> => {
    const describe = (): string => `not ${endpoints} endpoints in time; ${timeline.describe()}`
    await until(() => timeline.settled(endpoints), describe)
    const enough = client.stats().calls + CALLS_AFTER_AN_ACT
    await until(
      () => client.stats().calls >= enough,
      () => 'the client makes no calls',
    )
  }

  narrate('kubectl apply -f examples/greeter.yaml (3 replicas)')
  await api.kubectlApply(greeter(serverPort))
  const client = await startGoClient({ endpoint: etcd.endpoint, target, callsPerSecond: CALLS_PER_SECOND })
  running.push({ stop: async () => client.stop().catch(() => undefined) })
  client.onCall(({ atMs, durationMs, peer }) => {
    const address = peer === endpoint?.peer ? endpoint.address : peer
    timeline.answered({ address, begunAtMs: atMs, endedAtMs: atMs + durationMs })
  })
  say(
    'client',
    `Go, ${goClientVersion()}, dials etcd:///${target}, round_robin, ${CALLS_PER_SECOND} calls/s · ms since Kubernetes said so`,
  )
  await settled(3)

  narrate('kubectl scale deployment greeter --replicas=6')
  await api.kubectl('scale', 'deployment/greeter', '--namespace=demo', '--replicas=6')
  await settled(6)

  narrate('kubectl rollout restart deployment greeter')
  await restart(timeline, client, async () => {
    await api.kubectl('rollout', 'restart', 'deployment/greeter', '--namespace=demo')
    await api.kubectl('rollout', 'status', 'deployment/greeter', '--namespace=demo', '--timeout=60s')
    await settled(6)
  })

  narrate('kubectl scale deployment greeter --replicas=2')
  await api.kubectl('scale', 'deployment/greeter', '--namespace=demo', '--replicas=2')
  await settled(2)

  if (endpoint === undefined) narrate('no GrpcEndpoint: the name of this machine does not lead to loopback')
  else {
    narrate('kubectl apply -f examples/greeter-endpoint.yaml (a machine outside the cluster)')
    await api.kubectlApply(endpoint.yaml)
    await settled(3)
  }

  return finish(timeline, client)
}

async function until(reached: () => boolean, describe: () => string): Promise<void> {
  const deadline = performance.now() + ACT_TIMEOUT_MS
  while (!reached()) {
    if (performance.now() > deadline) throw new Error(describe())
    await sleep(20)
  }
}

async function restart(timeline: Timeline, client: GoClient, act: () => Promise<void>): Promise<void> {
  const before = timeline.totals()
  const failedBefore = client.stats().failed
  const fewest = timeline.countFewest()
  await act()
  const { puts, deletes } = timeline.totals()
  const failed = client.stats().failed - failedBefore
  narrate(
    `rolling restart: ${puts - before.puts} new, ${deletes - before.deletes} gone, never fewer than ${fewest()} · ${failed} failed calls`,
  )
}

async function finish(timeline: Timeline, client: GoClient): Promise<boolean> {
  await client.stop()
  const { calls, failed, errors } = client.stats()
  showSummary(timeline.totals(), { calls, failed })
  for (const { atMs, error } of errors.slice(0, MAX_ERRORS_SHOWN)) {
    say('failed', `${new Date(atMs).toISOString()}  ${error ?? ''}`)
  }
  return failed === 0 && calls > 0
}

/** As pinned: what the client was built from. */
function goClientVersion(): string {
  const goMod = readFileSync(join(checkout, 'test/interop/go/v3.7/go.mod'), 'utf8')
  return /go\.etcd\.io\/etcd\/client\/v3 v\S+/.exec(goMod)?.[0] ?? 'go.etcd.io/etcd/client/v3'
}

/** The youngest first. A second Ctrl-C ends us at once; the servers then end by themselves, they never outlive us. */
async function stopAll(): Promise<void> {
  for (const each of running.splice(0).reverse()) await each.stop()
}

const interrupted = new Promise<'interrupted'>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve('interrupted'))
})
let exitCode = 1
try {
  const outcome = await Promise.race([play(), interrupted, broken.promise])
  if (outcome === 'interrupted') console.error('\nstopping')
  exitCode = outcome === 'interrupted' ? 130 : outcome ? 0 : 1
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.message : String(error)}`)
}
await stopAll()
if (exitCode === 0) {
  say('next', `took ${formatSeconds((performance.now() - startedAt) / 1000)}, all is stopped again; to play by hand:`)
  say('', 'make up     the same servers, until make down; export what it prints, then:')
  say('', 'kubectl apply -f examples/greeter.yaml')
  // There is no scheduler.
  say('', `kubectl -n demo patch deployment greeter -p '${JSON.stringify(onKwok)}'`)
  say('', `kubectl get grpcservices -A     etcdctl get --prefix ${target}/     etcdctl watch --prefix ${target}/`)
}
// What is still being started when Ctrl-C comes must not keep us.
process.exit(exitCode)
