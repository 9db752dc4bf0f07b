/**
 * The operator of one process, put together. Every replica keeps its view warm and renews every lease that a Record names; the one that
 * leads reconciles (`leading.ts`). Keeps: S15 (the cluster and the store are known before the first lease is renewed), S16 (a clean stop
 * deletes nothing but the claim to lead).
 */
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { ConfigError, describeError, isServersFault, UnavailableError } from '../errors.ts'
import type { EtcdClient } from '../etcd/client.ts'
import { createElection } from '../etcd/election.ts'
import { ensureIdentity } from '../etcd/identity.ts'
import type { LeaseId } from '../etcd/kv.ts'
import { createLeaseKeeper, type LeaseKeeper } from '../etcd/lease-keeper.ts'
import { createMirrors } from '../etcd/mirror.ts'
import { isTooOld, NEEDED_ETCD } from '../etcd/server-version.ts'
import { createWatcher } from '../etcd/watch.ts'
import type { KubeClient } from '../kube/client.ts'
import { getObject } from '../kube/single-object.ts'
import { createBackoff } from '../runtime/backoff.ts'
import { createChangeSignal } from '../runtime/change-signal.ts'
import type { HealthOptions, HealthServer } from '../runtime/http.ts'
import { sleep } from '../runtime/sleep.ts'
import { createLeading, type Leading } from './leading.ts'
import { createMetrics } from './metrics.ts'
import { createReign } from './reign.ts'
import { createStoreHold, type StoreHold } from './store-hold.ts'
import { createView, type View } from './view.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace' } as const

/** The leases of the services. */
export interface ServiceLeases extends LeaseKeeper {
  /** This replica has just seen its own Kubernetes: only who does so now and then goes on renewing (`--max-blind-seconds`). */
  seen(): void
}

/** What the operator is made of: clients and servers come from outside, so that it can run on simulated ones in virtual time. */
export interface OperatorDeps {
  readonly config: Config
  readonly kube: KubeClient
  readonly etcd: EtcdClient
  /** Keeps the leases of the services alive. @param onLost called once for a lease, when etcd says that it does not exist */
  readonly keepLeases: (onLost: (id: LeaseId) => void) => ServiceLeases
  /** Answers probes and Prometheus. */
  readonly serveHealth: (options: HealthOptions) => Promise<HealthServer>
  readonly log: Logger
}

/** Runs until the signal aborts. @throws ConfigError when the configuration belongs to another cluster; what a bug throws */
export async function runOperator(deps: OperatorDeps, signal: AbortSignal): Promise<void> {
  const { config, kube, etcd, log } = deps
  log.info(
    { etcd: config.etcdEndpoints, kubernetes: kube.server, statePrefix: config.statePrefix },
    'operator starting',
  )
  const ended = new AbortController()
  const running = AbortSignal.any([signal, ended.signal])
  let present: { readonly view: View; readonly watchdog: Watchdog; readonly storeHold: StoreHold } | undefined
  let leading: Leading | undefined
  const changed = createChangeSignal()

  const metrics = createMetrics({
    stores: () => present?.view.synced() ?? new Map(),
    leases: () => present?.view.records.leaseCount ?? 0,
    queued: () => leading?.reign?.queued ?? 0,
    leading: () => leading?.reign !== undefined,
  })
  const health = await listen(deps.serveHealth, {
    address: config.metricsAddress,
    metrics,
    unready() {
      if (present === undefined) return ['etcd or Kubernetes was not reached yet']
      const { view, watchdog, storeHold } = present
      const foreign = watchdog.trouble?.foreign === true ? [watchdog.trouble.reason] : []
      const held = storeHold.reason === null ? [] : [storeHold.reason]
      return [...view.missing(), ...view.frozen(), ...foreign, ...held]
    },
  })
  log.info({ address: health.address }, 'health endpoints listening')
  const watcher = createWatcher({ client: etcd, log })
  const leases = deps.keepLeases((id) => {
    for (const record of present?.view.records.ofLease(id) ?? []) {
      log.warn({ lease: id, service: record.service }, 'lease lost: its keys are put again on another')
      metrics.leaseLost()
      leading?.reign?.enqueue(record.service)
    }
  })
  const session = createLeaseKeeper({ client: etcd, log })
  try {
    const uid = await untilReached(log, running, async () => clusterUid(kube, running))
    if (uid === undefined) return
    // Before the first lease is renewed: another cluster's are none of our business.
    const identity = await untilReached(log, running, async () =>
      ensureIdentity(etcd, config.statePrefix, uid, running),
    )
    if (identity === undefined) return
    await warnOfOldEtcd(etcd, log, running)
    const storeHold = createStoreHold({ kv: etcd, statePrefix: config.statePrefix, clusterUid: uid, log })
    const onStoreChanged = (): void => {
      storeHold.changed()
      leading?.abandon('the store changed')
    }
    const view = createView(
      {
        config,
        kube,
        mirrors: createMirrors({ kv: etcd, watcher, onStoreChanged, log }),
        leases,
        metrics,
        onTrigger: (service) => leading?.reign?.enqueue(service),
        onProgress: () => changed.notify(),
        log,
      },
      running,
    )
    const watchdog = createWatchdog(
      {
        clusterUid: uid,
        askClusterUid: async (given) => clusterUid(kube, given),
        proveStores: async () => ({ kind: 'fresh' }),
        forget: () => undefined,
        unwatched: () => view.unwatched,
        onSeen: () => leases.seen(),
        onChange: () => changed.notify(),
        log,
      },
      running,
    )
    const election = createElection({
      kv: etcd,
      keeper: session,
      watcher,
      statePrefix: config.statePrefix,
      identity,
      ttlSeconds: config.electionTtlSeconds,
      log,
    })
    const reignDeps = { statePrefix: config.statePrefix, view, kv: etcd, kube, leases, metrics, log }
    present = { view, watchdog, storeHold }
    leading = createLeading(
      {
        ...present,
        election,
        sync: async (given) => watcher.sync(given),
        startReign: (leadership, reigning) =>
          createReign(
            {
              ...reignDeps,
              leadership,
              prove: async (given) => watchdog.prove(given),
              catchUp: async (given) => void (await watcher.sync(given)),
            },
            reigning,
          ),
        changed,
        requestTimeoutMs: config.etcdRequestTimeoutSeconds * 1_000,
        log,
      },
      running,
    )
    await Promise.all([leading.running, view.running, watchdog.running])
  } finally {
    ended.abort()
    leases.close()
    session.close()
    watcher.close()
    await health.close()
    log.info('operator stopped')
  }
}

async function warnOfOldEtcd(etcd: EtcdClient, log: Logger, signal: AbortSignal): Promise<void> {
  try {
    const { version } = await etcd.status(signal)
    if (isTooOld(version)) log.warn({ version, needed: NEEDED_ETCD }, 'this etcd has bugs that reach us: upgrade it')
  } catch (error) {
    log.warn({ error: describeError(error) }, 'the version of etcd could not be read')
  }
}

async function listen(serveHealth: OperatorDeps['serveHealth'], options: HealthOptions): Promise<HealthServer> {
  try {
    return await serveHealth(options)
  } catch (error) {
    const target = `--metrics-address ${options.address}`
    throw new ConfigError(`${target}: ${describeError(error)}; choose another, or port 0 for a free one`, {
      code: 'listen',
      target,
      cause: error,
    })
  }
}

async function clusterUid(kube: KubeClient, signal: AbortSignal): Promise<string> {
  const lookup = await getObject(kube, namespaces, 'kube-system', signal)
  if (lookup.kind === 'found') return lookup.object.metadata.uid
  throw new UnavailableError('there is no namespace kube-system, whose UID names the cluster', {
    code: 'no-kube-system',
    target: kube.server,
  })
}

/** Repeats while a server is the reason that it fails; `undefined` when the signal aborts first. @throws ConfigError, bugs */
async function untilReached<T>(log: Logger, signal: AbortSignal, attempt: () => Promise<T>): Promise<T | undefined> {
  const backoff = createBackoff(100, 5_000)
  while (!signal.aborted) {
    try {
      return await attempt()
    } catch (error) {
      if (signal.aborted) break
      if (!isServersFault(error)) throw error
      const retryInMs = Math.round(backoff.next())
      log.warn({ error: describeError(error), retryInMs }, 'not reached: trying again')
      await sleep(retryInMs, signal)
    }
  }
  return undefined
}
