/**
 * A suite against a real etcd, a real API server and the operator as a process, one of each for a test file. Each test has a namespace
 * and a target of its own, so tests share the servers and not their state. After the last one, everything that the recorder saw is
 * held against the laws of `recorder-laws.ts`.
 */
import { after, afterEach, before, describe } from 'node:test'
import { startApiServer, type ApiServer } from '../../dev/control-plane/api-server.ts'
import { startEtcd, type Etcd, type EtcdOptions } from '../../dev/control-plane/etcd.ts'
import { createKubernetes, type Kubernetes, type Namespace } from './kubernetes.ts'
import { startOperator, type Operator, type OperatorOptions } from './operator.ts'
import { startRecorder, type Recorder } from './recorder.ts'
import { checkLaws } from './recorder-laws.ts'

export interface OperatorSuite {
  readonly etcd: Etcd
  readonly api: ApiServer
  readonly kubernetes: Kubernetes
  readonly recorder: Recorder
  /** The one that runs for the whole file, or the one that `restartOperator` started since. */
  readonly operator: Operator
  /** A namespace that no other test uses. */
  scene(): Promise<Namespace>
  /** One more operator process, killed after the test. */
  start(options?: Partial<OperatorOptions>): Operator
  /** Takes the place of the operator of the file, which must have ended; resolves when it leads. */
  replace(options?: Partial<OperatorOptions>): Promise<Operator>
  /**
   * Proves that nothing more is to come: what happens to a service made just now was decided after everything that was on its way
   * before. @returns a mark of the recorder
   */
  settled(): Promise<number>
  /** Leases that tests granted for keys of their own, in hexadecimal. */
  readonly foreignLeases: Set<string>
  /** Called after the test, the last one first. */
  cleanUp(action: () => unknown): void
}

export interface SuiteOptions {
  readonly etcd?: EtcdOptions
  /** `false`: each test starts its own. */
  readonly operator?: false | { readonly args: readonly string[] }
  /** Default: true. */
  readonly crds?: boolean
}

const CRDS = new URL('../../manifests/crds', import.meta.url).pathname

export function describeOperator(name: string, body: (suite: OperatorSuite) => void, options: SuiteOptions = {}): void {
  void describe(name, () => {
    let servers: { readonly etcd: Etcd; readonly api: ApiServer; readonly kubernetes: Kubernetes } | undefined
    let recorder: Recorder | undefined
    let operator: Operator | undefined
    let scenes = 0
    const cleanUps: (() => unknown)[] = []

    before(async () => {
      const [etcd, api] = await Promise.all([startEtcd(options.etcd), startApiServer()])
      servers = { etcd, api, kubernetes: createKubernetes(api) }
      recorder = await startRecorder(etcd)
      if (options.crds !== false) await installCrds(api)
      if (options.operator !== false) await suite.replace(options.operator)
    })
    afterEach(async () => {
      for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
    })
    after(async () => {
      try {
        await operator?.terminate()
        if (recorder !== undefined) {
          await recorder.mark()
          checkLaws(recorder.revisions, suite.foreignLeases)
        }
      } finally {
        await recorder?.stop()
        await servers?.kubernetes.close()
        await servers?.api.stop()
        await servers?.etcd.stop()
      }
    })

    const there = <T>(value: T | undefined): T => {
      if (value === undefined) throw new Error('it is started by before(), or by the test')
      return value
    }
    const launch = (given: Partial<OperatorOptions>): Operator =>
      startOperator({ kubeconfig: suite.api.kubeconfig, etcdEndpoint: suite.etcd.endpoint, ...given })

    const suite: OperatorSuite = {
      foreignLeases: new Set(),
      get etcd() {
        return there(servers).etcd
      },
      get api() {
        return there(servers).api
      },
      get kubernetes() {
        return there(servers).kubernetes
      },
      get recorder() {
        return there(recorder)
      },
      get operator() {
        return there(operator)
      },
      scene: async () => suite.kubernetes.namespace(`scene-${++scenes}`),
      start(given = {}) {
        const started = launch(given)
        suite.cleanUp(async () => started.kill())
        return started
      },
      async replace(given = {}) {
        operator = launch(given)
        await operator.untilLeading()
        return operator
      },
      async settled() {
        const scene = await suite.scene()
        const labels = { app: 'canary' }
        // One of each kind, for each kind has a watch of its own.
        await scene.endpoint('canary', { serviceRef: { name: 'canary' }, address: '10.255.255.1:1' })
        await scene.pod('canary', { labels, ips: ['10.255.255.2'] })
        await scene.service('canary', { pods: { selector: { matchLabels: labels }, port: 1 } })
        await suite.recorder.untilAddresses(`${scene.name}/canary`, ['10.255.255.1:1', '10.255.255.2:1'])
        return suite.recorder.mark()
      },
      cleanUp(action) {
        cleanUps.push(action)
      },
    }
    body(suite)
  })
}

/** Resolves when the API server serves them. */
export async function installCrds(api: ApiServer): Promise<void> {
  await api.kubectlApply(CRDS)
  await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s')
}
