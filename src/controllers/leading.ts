/**
 * From candidate to leader and back: who can act campaigns; who wins proves that its view is fresh, and only then reigns; who can not act
 * any more yields to one that can; who stood still starts over. Keeps: S2, S3 (a proof precedes the first write of every reign), L4, L12.
 */
import type { Logger } from 'pino'
import { describeError, isServersFault, UnavailableError } from '../errors.ts'
import type { Election, Leadership } from '../etcd/election.ts'
import { createBackoff } from '../runtime/backoff.ts'
import type { ChangeSignal } from '../runtime/change-signal.ts'
import { sleep } from '../runtime/sleep.ts'
import type { Reign } from './reign.ts'
import type { StoreHold } from './store-hold.ts'
import type { View } from './view.ts'
import type { Watchdog } from './watchdog.ts'

export interface LeadingDeps {
  readonly view: View
  readonly watchdog: Watchdog
  readonly storeHold: StoreHold
  readonly election: Election
  /** Resolves when every watch of etcd has delivered what was committed before the call. */
  readonly sync: (signal: AbortSignal) => Promise<unknown>
  /** @param signal aborts what is under way: leadership is lost */
  readonly startReign: (leadership: Leadership, signal: AbortSignal) => Reign
  /** Something of the view or the watchdog changed. */
  readonly changed: ChangeSignal
  readonly requestTimeoutMs: number
  readonly log: Logger
}

export interface Leading {
  readonly reign: Reign | undefined
  /** What we knew of etcd is void: whoever leads here stops at once. */
  abandon(reason: string): void
  /** Resolves when the signal has ended everything; rejects for a bug. */
  readonly running: Promise<void>
}

/** A leader that could not act for so long yields to one that can. */
const YIELD_AFTER_MS = 15_000
const LOOK_MS = 1_000
/** More than any pause of a healthy process, less than what a fresh view may miss. */
const STOOD_STILL_MS = 5_000
/** How long a clean stop waits for commits under way. */
const DRAIN_MS = 3_000
/** After a win that could not be used: another replica may have its turn. */
const LEAD_RETRY_MS = 2_000

export function createLeading(deps: LeadingDeps, signal: AbortSignal): Leading {
  const { view, watchdog, storeHold, changed, log } = deps
  let reign: Reign | undefined
  let present: Leadership | undefined

  async function serve(): Promise<void> {
    const backoff = createBackoff(100, 5_000)
    while (!signal.aborted) {
      await untilAble()
      try {
        await storeHold.settle(signal)
        const leadership = await campaign()
        backoff.reset()
        if (leadership !== undefined) await rule(leadership)
      } catch (error) {
        if (signal.aborted) return
        if (!isServersFault(error)) throw error
        const retryInMs = Math.round(backoff.next())
        log.warn({ error: describeError(error), retryInMs }, 'not reached: trying again')
        await sleep(retryInMs, signal)
      }
    }
  }

  async function untilAble(): Promise<void> {
    let said = ''
    while (!signal.aborted) {
      const missing = [...view.missing(), ...(watchdog.trouble === null ? [] : [watchdog.trouble.reason])]
      if (missing.length === 0) return
      if (missing.join() !== said) log.info({ missing }, 'waiting: nothing is written before everything is known')
      said = missing.join()
      await changed.next(signal)
    }
  }

  /** `undefined`: stopped, or not able to act any more, before we won. */
  async function campaign(): Promise<Leadership | undefined> {
    const candidacy = new AbortController()
    const given = AbortSignal.any([signal, candidacy.signal])
    const watchOver = async (): Promise<void> => {
      while (!given.aborted) {
        if (watchdog.trouble !== null) candidacy.abort()
        await changed.next(given)
      }
    }
    log.info('campaigning')
    const watching = watchOver()
    try {
      return await deps.election.campaign(given)
    } catch (error) {
      if (given.aborted) return undefined
      throw error
    } finally {
      candidacy.abort()
      await watching
    }
  }

  /** From winning to losing. On a clean stop the commits under way end, then the next replica may lead at once. */
  async function rule(leadership: Leadership): Promise<void> {
    const { lost } = leadership
    const reigning = AbortSignal.any([lost, signal])
    const givenUp = new AbortController()
    let useless = false
    present = leadership
    try {
      await prove(leadership, reigning)
      log.info({ revision: leadership.wonAt }, 'leading')
      reign = deps.startReign(leadership, AbortSignal.any([lost, givenUp.signal]))
      await untilOver(leadership, reigning)
    } catch (error) {
      if (!reigning.aborted) {
        if (!isServersFault(error)) throw error
        watchdog.doubt(error)
        useless = true
      }
    }
    const ending = reign
    reign = undefined
    present = undefined
    const timer = setTimeout(() => givenUp.abort(), DRAIN_MS)
    await ending?.end()
    clearTimeout(timer)
    if (!lost.aborted) await leadership.resign(AbortSignal.timeout(deps.requestTimeoutMs))
    log.info('no longer leading')
    if (useless) await sleep(LEAD_RETRY_MS, signal)
  }

  /** Warm is not fresh: what a predecessor saw and wrote last may still be on its way to us (S2, S3). */
  async function prove({ wonAt }: Leadership, reigning: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([reigning, AbortSignal.timeout(YIELD_AFTER_MS)])
    const mirrors = async (): Promise<void> => {
      while (!view.mirrorsAt(wonAt)) {
        if (limit.aborted) throw notFresh()
        await deps.sync(limit)
        if (!view.mirrorsAt(wonAt)) await changed.next(AbortSignal.any([limit, AbortSignal.timeout(LOOK_MS)]))
      }
    }
    await Promise.all([mirrors(), watchdog.prove(limit)])
  }

  /** Until leadership is lost, or we are of no use: unable for long while another could, at another cluster's, or asleep. */
  async function untilOver(leadership: Leadership, reigning: AbortSignal): Promise<void> {
    let incompleteSinceMs: number | undefined
    let stayed = ''
    for (;;) {
      const monotonicMs = performance.now()
      const wallMs = Date.now()
      await sleep(LOOK_MS, reigning)
      if (reigning.aborted) return
      const nowMs = performance.now()
      if (Math.max(nowMs - monotonicMs, Date.now() - wallMs) > LOOK_MS + STOOD_STILL_MS) {
        log.warn(
          { forMs: Math.round(nowMs - monotonicMs) },
          'this process stood still: its view has to be proven again',
        )
        return
      }
      const [missing] = view.missing()
      incompleteSinceMs = missing === undefined ? undefined : (incompleteSinceMs ?? nowMs)
      const { trouble } = watchdog
      const sinceMs = Math.min(trouble?.sinceMs ?? Infinity, incompleteSinceMs ?? Infinity)
      const reason = trouble?.reason ?? missing ?? ''
      if (trouble?.foreign === true) return
      if (nowMs - sinceMs < YIELD_AFTER_MS) continue
      if (await hasCandidates(leadership, reigning)) {
        log.warn({ reason }, 'this replica can not act and another can: yielding')
        watchdog.doubt(new UnavailableError(reason, { code: 'yielded', target: 'kubernetes' }))
        return
      }
      if (stayed !== reason) log.warn({ reason }, 'this replica can not act, and no other is ready: staying')
      stayed = reason
    }
  }

  async function hasCandidates(leadership: Leadership, reigning: AbortSignal): Promise<boolean> {
    try {
      return await leadership.hasCandidates(reigning)
    } catch (error) {
      if (!isServersFault(error)) throw error
      // Nobody can take over through an etcd that does not answer; our own lease tells how long that may last.
      log.debug({ error: describeError(error) }, 'candidates can not be read')
      return false
    }
  }

  return {
    get reign() {
      return reign
    },
    abandon: (reason) => present?.abandon(reason),
    running: serve(),
  }
}

function notFresh(): UnavailableError {
  return new UnavailableError('the watches of etcd are not in step in time', { code: 'not-fresh', target: 'etcd' })
}
