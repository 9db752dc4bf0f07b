/**
 * `make bench`: how long from a Pod's readiness to its key in etcd, as an independent watcher sees it, at 50 changes a second; the operator
 * against the bare pipeline, in turns of a few seconds in the same run, so that whatever else the machine does hits both alike. Then what
 * the operator writes: per change, while nothing changes, and at a restart.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { startApiServer } from '../dev/control-plane/api-server.ts'
import { startEtcd } from '../dev/control-plane/etcd.ts'
import { startBuiltOperator } from '../dev/demo/operator.ts'
import { checkout } from '../dev/tools/catalogue.ts'
import { formatSeconds } from '../dev/tools/progress.ts'
import { monotonicMs } from './clock.ts'
import { connectCluster } from './cluster.ts'
import { Measurement } from './measurement.ts'
import { printReport } from './report.ts'
import { runBench } from './stage.ts'
import { NAMESPACE, SERVICES, changesOf, grpcServiceManifest, podsOf, type Group } from './workload.ts'

const CHANGES_PER_SECOND = 50
const WARM_UP_TURNS = 2
const TURNS = 14
const TURN_MS = 3_000
const QUIET_MS = 60_000
/** How long after a restart a late write still counts. */
const RESTART_QUIET_MS = 5_000

const ENDPOINTS = `${NAMESPACE}/`
const RECORDS = '_grpcetcd/default/services/'
const MARK = '~mark'

await runBench(async ({ keep, startProgram, until, say }) => {
  say('starting the servers')
  const etcd = keep(await startEtcd())
  const api = keep(await startApiServer())
  await api.kubectlApply(join(checkout, 'manifests/crds'))
  await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
  await api.kubectl('create', 'namespace', NAMESPACE)

  const measurement = new Measurement()
  await startProgram('observer.ts', [`--etcd=${etcd.endpoint}`], (line) => measurement.observe(line))
  const pipeline = [`--server=${api.url}`, `--ca=${api.caFile}`, `--token=${api.token}`, `--etcd=${etcd.endpoint}`]
  await startProgram('bare-pipeline.ts', pipeline, () => undefined)
  let operator = await startBuiltOperator({ kubeconfig: api.kubeconfig, etcdEndpoint: etcd.endpoint })
  keep({ stop: async () => operator.stop() })

  /** Resolves when the observer has seen everything that was written before the call. */
  let marks = 0
  const caughtUp = async (): Promise<void> => {
    marks += 1
    await etcd.etcdctl('put', MARK, String(marks))
    await until('the observer sees the mark', () => measurement.writes(MARK) === marks)
  }

  const groups = { operator: podsOf('operator'), bare: podsOf('bare') }
  const pods = [...groups.operator, ...groups.bare]
  say(`creating ${SERVICES} services and ${groups.operator.length} Pods for each of the two`)
  const services = Array.from({ length: SERVICES }, (_, index) => grpcServiceManifest(index))
  await api.kubectlApply(`${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: services })}\n`)
  const cluster = keep(connectCluster(api))
  await cluster.create(pods)
  await until('all endpoints are in etcd', () => measurement.writes(ENDPOINTS, 'bare/') >= pods.length)

  const changes = { operator: changesOf(groups.operator), bare: changesOf(groups.bare) }
  /** At fixed times, whatever the answers take: a slow server does not get fewer changes. */
  const turn = async (group: Group): Promise<number> => {
    const sent: Promise<void>[] = []
    const beganMs = monotonicMs()
    const count = (TURN_MS / 1000) * CHANGES_PER_SECOND
    for (let index = 0; index < count; index++) {
      const waitMs = beganMs + (index * 1000) / CHANGES_PER_SECOND - monotonicMs()
      if (waitMs > 0) await sleep(waitMs)
      const change = changes[group].next().value
      const acknowledged = measurement.expect(change)
      sent.push(cluster.setReady(change.pod, change.ready).then(acknowledged))
    }
    await Promise.all(sent)
    await until('all changes are in etcd', () => measurement.open === 0)
    return count
  }

  say(`warming up, ${WARM_UP_TURNS} turns of ${formatSeconds(TURN_MS / 1000)} each`)
  for (let index = 0; index < WARM_UP_TURNS; index++)
    for (const group of ['operator', 'bare'] as const) await turn(group)
  measurement.forgetSamples()
  say(`measuring, ${TURNS} turns each, ${CHANGES_PER_SECOND} changes/s`)
  await caughtUp()
  const writesBefore = measurement.writes(ENDPOINTS)
  let operatorChanges = 0
  for (let index = 0; index < TURNS; index++) {
    // Who goes first changes, so that neither always follows the other.
    const order: readonly Group[] = index % 2 === 0 ? ['operator', 'bare'] : ['bare', 'operator']
    for (const group of order) {
      const count = await turn(group)
      if (group === 'operator') operatorChanges += count
    }
  }
  await caughtUp()
  const changeWrites = measurement.writes(ENDPOINTS) - writesBefore

  const writesDuring = async (act: () => Promise<void>): Promise<number> => {
    await caughtUp()
    const before = measurement.writes(ENDPOINTS, RECORDS)
    await act()
    await caughtUp()
    return measurement.writes(ENDPOINTS, RECORDS) - before
  }
  say(`changing nothing for ${formatSeconds(QUIET_MS / 1000)}`)
  const quietWrites = await writesDuring(async () => sleep(QUIET_MS))
  say('restarting the operator')
  const restartWrites = await writesDuring(async () => {
    await operator.stop()
    operator = await startBuiltOperator({ kubeconfig: api.kubeconfig, etcdEndpoint: etcd.endpoint })
    await sleep(RESTART_QUIET_MS)
  })

  printReport({
    samples: measurement.samples,
    lost: measurement.lost,
    writesPerChange: changeWrites / operatorChanges,
    quietWrites,
    restartWrites,
  })
})
