/**
 * The operator of one process: start, elect, run, drain. Every replica keeps its view warm and renews every lease that a Record names;
 * the one that leads reconciles. Keeps: nothing is written before every store and mirror is complete (S4), L4, S16 (a clean stop
 * deletes nothing but the claim to lead).
 */
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { ConfigError, describeError, ForbiddenError, RejectedError, TimeoutError, UnavailableError } from '../errors.ts'
import type { EtcdClient } from '../etcd/client.ts'
import { createElection, ensureIdentity, type Election, type Leadership } from '../etcd/election.ts'
import { createLeaseKeeper, type LeaseKeeper } from '../etcd/lease-keeper.ts'
import type { LeaseId } from '../etcd/kv.ts'
import { createMirrors } from '../etcd/mirror.ts'
import { isTooOld, NEEDED_ETCD } from '../etcd/server-version.ts'
import { createWatcher } from '../etcd/watch.ts'
import type { KubeClient } from '../kube/client.ts'
import { getObject } from '../kube/single-object.ts'
import { createBackoff } from '../runtime/backoff.ts'
import { sleep } from '../runtime/sleep.ts'
import type { HealthOptions, HealthServer } from '../runtime/http.ts'
import { createMetrics } from './metrics.ts'
import { createReign, type Reign } from './reign.ts'
import { createView, type View } from './view.ts'

/** How long a clean stop waits for commits under way. */
const DRAIN_MS = 3_000
/** After a win that could not be used: another replica may have its turn. */
const LEAD_RETRY_MS = 2_000
const namespaces = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace' } as const

/** What the operator is made of: clients and servers come from outside, so that it can run on simulated ones in virtual time. */
export interface OperatorDeps {
  readonly config: Config
  readonly kube: KubeClient
  readonly etcd: EtcdClient
  /** Keeps the leases of the services alive. @param onLost called once for a lease, when etcd says that it does not exist */
  readonly keepLeases: (onLost: (id: LeaseId) => void) => LeaseKeeper
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
  let view: View | undefined
  let reign: Reign | undefined
  const changed = createChangeSignal(running)

  const metrics = createMetrics({
    stores: () => view?.synced() ?? new Map(),
    leases: () => view?.records.leaseCount ?? 0,
    queued: () => reign?.queued ?? 0,
    leading: () => reign !== undefined,
  })
  const health = await listen(deps.serveHealth, {
    address: config.metricsAddress,
    metrics,
    unready: () =>
      view === undefined ? ['etcd or Kubernetes was not reached yet'] : [...view.missing(), ...view.frozen()],
  })
  log.info({ address: health.address }, 'health endpoints listening')
  const watcher = createWatcher({ client: etcd, log })
  const leases = deps.keepLeases((id) => {
    for (const record of view?.records.ofLease(id) ?? []) {
      log.warn({ lease: id, service: record.service }, 'lease lost: its keys are put again on another')
      metrics.leaseLost()
      reign?.enqueue(record.service)
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
    const mirrors = createMirrors({ kv: etcd, watcher, log })
    const present = createView(
      {
        config,
        kube,
        mirrors,
        leases,
        metrics,
        onTrigger: (service) => reign?.enqueue(service),
        onProgress: () => changed.notify(),
        log,
      },
      running,
    )
    view = present
    const election = createElection({
      kv: etcd,
      keeper: session,
      watcher,
      statePrefix: config.statePrefix,
      identity,
      ttlSeconds: config.electionTtlSeconds,
      log,
    })
    await Promise.all([serve(present, election, uid), present.running])
  } finally {
    ended.abort()
    leases.close()
    session.close()
    watcher.close()
    await health.close()
    log.info('operator stopped')
  }

  async function serve(present: View, election: Election, uid: string): Promise<void> {
    while (!running.aborted) {
      await complete(present)
      const leadership = await untilReached(log, running, async () => {
        // Again before each campaign: a store that was wiped has forgotten whose it is, and the fence compares that.
        await ensureIdentity(etcd, config.statePrefix, uid, running)
        log.info('campaigning')
        return election.campaign(running)
      })
      if (leadership !== undefined) await rule(present, leadership)
    }
  }

  /** From winning to losing. On a clean stop the commits under way end, then the next replica may lead at once. */
  async function rule(present: View, leadership: Leadership): Promise<void> {
    const { lost } = leadership
    const reigning = AbortSignal.any([lost, running])
    const givenUp = new AbortController()
    let useless = false
    const catchUp = async (catchUpSignal: AbortSignal): Promise<void> => void (await watcher.sync(catchUpSignal))
    try {
      // Warm is not fresh: what the predecessor wrote last may still be on its way to the mirrors.
      await catchUp(reigning)
      log.info({ revision: leadership.wonAt }, 'leading')
      reign = createReign(
        { statePrefix: config.statePrefix, view: present, kv: etcd, kube, leases, leadership, metrics, catchUp, log },
        AbortSignal.any([lost, givenUp.signal]),
      )
      await aborted(reigning)
    } catch (error) {
      if (!reigning.aborted) {
        log.warn({ error: describeError(error) }, 'could not start to lead')
        useless = true
      }
    }
    const ending = reign
    reign = undefined
    const timer = setTimeout(() => givenUp.abort(), DRAIN_MS)
    await ending?.end()
    clearTimeout(timer)
    if (!lost.aborted) await leadership.resign(AbortSignal.timeout(config.etcdRequestTimeoutSeconds * 1000))
    log.info('no longer leading')
    if (useless) await sleep(LEAD_RETRY_MS, running)
  }

  async function complete(present: View): Promise<void> {
    let said = ''
    for (;;) {
      const missing = present.missing()
      if (missing.length === 0 || running.aborted) return
      if (missing.join() !== said) log.info({ missing }, 'waiting: nothing is written before everything is known')
      said = missing.join()
      await changed.next()
    }
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

function isServersFault(error: unknown): boolean {
  return [UnavailableError, TimeoutError, ForbiddenError, RejectedError].some((kind) => error instanceof kind)
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Wakes who waits for the next change, or for the signal; changes that nobody waits for are forgotten. */
function createChangeSignal(signal: AbortSignal): { notify(): void; next(): Promise<void> } {
  let waiting = Promise.withResolvers<void>()
  const notify = (): void => {
    waiting.resolve()
    waiting = Promise.withResolvers<void>()
  }
  signal.addEventListener('abort', notify, { once: true })
  return {
    notify,
    async next() {
      if (!signal.aborted) await waiting.promise
    },
  }
}
