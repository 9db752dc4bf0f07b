/**
 * The watchdog of one replica: can it act? Every few seconds it asks Kubernetes who it is, and now and then proves that the stores are as
 * new as the API server: a connection that died without a word looks like a quiet cluster. Who can not act neither campaigns nor keeps
 * leadership that another could use (L12); who talks to another cluster touches nothing (S15); who sees no Kubernetes for long renews no
 * lease any more (`onSeen`).
 */
import type { Logger } from 'pino'
import { describeError, isServersFault, UnavailableError } from '../errors.ts'
import { sleep } from '../runtime/sleep.ts'

export interface Watchdog {
  /** Why this replica can not act, in words for people; `null` when it can. */
  readonly trouble: Trouble | null
  /**
   * Kubernetes is the one that we know, and every store is at or past what it answered after this call.
   * @throws UnavailableError and what the requests throw: then nothing is proven
   */
  prove(signal: AbortSignal): Promise<void>
  /** Something showed that this replica can not act: that is its `trouble` until a round has proven the opposite. */
  doubt(error: unknown): void
  /** Until the signal aborts. */
  readonly running: Promise<void>
}

type Proof =
  | { readonly kind: 'fresh' }
  | { readonly kind: 'went-back'; readonly resource: string; readonly store: string; readonly server: string }

export interface Trouble {
  readonly reason: string
  /** On the clock of `performance.now()`. */
  readonly sinceMs: number
  /** Another cluster answers: not a matter of waiting. */
  readonly foreign: boolean
}

export interface WatchdogDeps {
  /** The UID of the kube-system namespace when this process started: the cluster that it serves. */
  readonly clusterUid: string
  /** Asks for it again. */
  readonly askClusterUid: (signal: AbortSignal) => Promise<string>
  readonly proveStores: (signal: AbortSignal) => Promise<Proof>
  /** Reads a resource anew, from whatever time: the API server's past is not the one we knew. */
  readonly forget: (resource: string) => void
  /** True when a store is known not to be watched: then the round proves all of them. */
  readonly unwatched: () => boolean
  readonly onSeen: () => void
  /** `trouble` came or went. */
  readonly onChange: () => void
  readonly log: Logger
}

const ROUND_MS = 4_000
/** An answer takes milliseconds, a proof about a second; a reflector needs a moment to reconnect. */
const ROUND_LIMIT_MS = 8_000
/** So many rounds without a reason for it, then the stores are proven all the same. */
const ROUNDS_A_PROOF = 8

export function createWatchdog(deps: WatchdogDeps, signal: AbortSignal): Watchdog {
  const { log } = deps
  let trouble: Trouble | null = null
  let wentBack = new Set<string>()

  async function checkCluster(given: AbortSignal): Promise<void> {
    const uid = await deps.askClusterUid(given)
    if (uid === deps.clusterUid) {
      deps.onSeen()
      return
    }
    throw new UnavailableError(
      `the API server is that of another cluster: its kube-system has the UID ${uid}, not ${deps.clusterUid}; nothing is written until the right one answers`,
      { code: 'other-cluster', target: 'kubernetes' },
    )
  }

  async function checkStores(given: AbortSignal): Promise<void> {
    const proof = await deps.proveStores(given)
    if (proof.kind === 'fresh') {
      wentBack = new Set()
      return
    }
    const { resource, store, server } = proof
    // Two answers of a quorum: the first may come from a server that was just replaced.
    if (wentBack.has(resource)) deps.forget(resource)
    wentBack.add(resource)
    throw new UnavailableError(
      `the API server went back in time: its ${resource} are at ${server}, and ${store} was seen; was it restored from a backup?`,
      { code: 'went-back', target: `kubernetes ${resource}` },
    )
  }

  function note(sinceMs: number, error: unknown): void {
    const reason = describeError(error)
    if (trouble?.reason !== reason) log.warn({ reason }, 'this replica can not act')
    const foreign = error instanceof UnavailableError && error.code === 'other-cluster'
    trouble = { reason, sinceMs: trouble?.sinceMs ?? sinceMs, foreign }
    deps.onChange()
  }

  async function run(): Promise<void> {
    for (let round = 1; !signal.aborted; round += 1) {
      await sleep(ROUND_MS, signal)
      if (signal.aborted) return
      const startedMs = performance.now()
      const limit = AbortSignal.any([signal, AbortSignal.timeout(ROUND_LIMIT_MS)])
      try {
        await checkCluster(limit)
        if (trouble !== null || round % ROUNDS_A_PROOF === 0 || deps.unwatched()) await checkStores(limit)
        if (trouble === null) continue
        log.info({ was: trouble.reason }, 'this replica can act again')
        trouble = null
        deps.onChange()
      } catch (error) {
        if (signal.aborted) return
        if (!isServersFault(error)) throw error
        note(startedMs, error)
      }
    }
  }

  return {
    get trouble() {
      return trouble
    },
    async prove(given) {
      await checkCluster(given)
      await checkStores(given)
    },
    doubt: (error) => note(performance.now(), error),
    running: run(),
  }
}
