/**
 * Keeps a store in step with one kind of the API server: list, watch, and everything that can go wrong with them. Owns the
 * connection and the waiting; what comes after what is `reflector-machine.ts`. The same code for every kind.
 * Keeps: nothing but a complete set makes a store ready, and no failure ever looks like an empty one (S4); a relist never goes
 * back in time (`NotOlderThan`); a silent connection does not stay unnoticed (L11). No selectors: with one, the API server sends
 * DELETED for an object that merely stopped matching (S3).
 */
import { setImmediate as yieldToLoop, setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { UnavailableError, describeError } from '../errors.ts'
import { createBackoff } from '../runtime/backoff.ts'
import type { KubeClient, KubeRequest } from './client.ts'
import { createIntake } from './intake.ts'
import { createLineSplitter } from './lines.ts'
import { FIRST_PHASE, next, type Outcome, type Phase, type Reason } from './reflector-machine.ts'
import { isAnswer, reasonOf } from './reflector-reason.ts'
import { collectionPath, resourceName, type Resource, type StoredObject } from './resource.ts'
import { eventError } from './status-error.ts'
import type { Store } from './store.ts'
import { parseListPage, parseWatchEvent, type WatchEvent } from './watch-event.ts'

/** How the reflector is; that the store has a complete set is the store's `ready`. */
export type ReflectorState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'listing' }
  /** Connected and in step, as far as the server has told. */
  | { readonly kind: 'watching' }
  /** The store may fall behind. `error` is absent when the server ended the watch in good order. */
  | { readonly kind: 'waiting'; readonly reason: Reason; readonly error: Error | undefined; readonly retryInMs: number }

export interface Reflector {
  readonly state: ReflectorState
  /** Until the signal aborts. Rejects only for a bug, such as a listener of the store that throws. */
  run(signal: AbortSignal): Promise<void>
}

export interface ReflectorDeps<T extends StoredObject> {
  readonly client: KubeClient
  readonly resource: Resource<T>
  /** Absent: the whole cluster. */
  readonly namespace?: string
  readonly store: Store<T>
  readonly log: Logger
  readonly onState?: (state: ReflectorState) => void
  /** A watch that sends nothing for so long is dead; the API server sends a bookmark about once a minute. */
  readonly silenceMs?: number
}

const PAGE_LIMIT = 500
const YIELD_EVERY = 500
/** A watch that lived so long was no part of the trouble before it. */
const HEALTHY_AFTER_MS = 10_000

/** What a step learns before it ends, however it ends. */
interface Progress {
  listed: boolean
  heard: boolean
  watchingSinceMs: number | undefined
}

export function createReflector<T extends StoredObject>(deps: ReflectorDeps<T>): Reflector {
  const { client, resource, store, silenceMs = 90_000 } = deps
  const log = deps.log.child({ resource: resourceName(resource) })
  const path = collectionPath(resource, deps.namespace)
  // A server that answers is spared; one that is away is looked for often enough to be found within seconds (L1).
  const answered = createBackoff(200, 30_000)
  const away = createBackoff(200, 4_000)
  const intake = createIntake(resource, store, log)
  let state: ReflectorState = { kind: 'stopped' }

  function enter(entered: ReflectorState): void {
    state = entered
    deps.onState?.(entered)
  }

  async function run(signal: AbortSignal): Promise<void> {
    let phase = FIRST_PHASE
    try {
      while (!signal.aborted) {
        const progress: Progress = { listed: false, heard: false, watchingSinceMs: undefined }
        const { outcome, error } = await step(phase, progress, signal)
        const transition = next(phase, outcome)
        if (isHealthy(progress)) {
          answered.reset()
          away.reset()
        }
        const atOnce = outcome.kind === 'interrupted' && outcome.reason === 'ended' && isHealthy(progress)
        if (transition.pause && !atOnce && outcome.kind === 'interrupted') await pause(outcome.reason, error, signal)
        phase = transition.phase
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      enter({ kind: 'stopped' })
    }
  }

  async function pause(reason: Reason, error: Error | undefined, signal: AbortSignal): Promise<void> {
    const backoff = (isAnswer(reason) ? answered : away).next()
    const retryInMs = Math.max(backoff, (error instanceof UnavailableError ? error.retryAfterMs : undefined) ?? 0)
    const fields = { reason, retryInMs: Math.round(retryInMs), ready: store.ready }
    if (error === undefined) log.debug(fields, 'watch ended')
    else if (reason === 'not-found') log.warn(fields, 'kind is not served by the API server; is its CRD installed?')
    else log.warn({ ...fields, error: describeError(error) }, 'list or watch interrupted')
    enter({ kind: 'waiting', reason, error, retryInMs })
    await sleep(retryInMs, undefined, { signal })
  }

  async function step(
    phase: Phase,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<{ outcome: Outcome; error?: Error }> {
    try {
      return {
        outcome:
          phase.kind === 'list' ? await page(phase.continueToken, signal) : await follow(phase, progress, signal),
      }
    } catch (error) {
      const reason = signal.aborted ? undefined : reasonOf(error)
      if (reason === undefined || !(error instanceof Error)) throw error
      return { outcome: { kind: 'interrupted', reason, listed: progress.listed, heard: progress.heard }, error }
    }
  }

  /** One page of a list. Never `resourceVersion=0` with a limit, which some servers answer unpaged and from any time. */
  async function page(continueToken: string | undefined, signal: AbortSignal): Promise<Outcome> {
    if (state.kind !== 'listing') enter({ kind: 'listing' })
    if (continueToken === undefined) intake.begin()
    const query = { limit: PAGE_LIMIT, ...(continueToken === undefined ? notOlder() : { continue: continueToken }) }
    const list = parseListPage(await client.request({ path, query, silenceMs: Math.min(silenceMs, 30_000) }, signal))
    if (list === undefined) throw undecodable('list')
    for (const object of list.items) intake.gather(object)
    if (list.continueToken !== undefined) {
      await yieldToLoop()
      return { kind: 'page', continueToken: list.continueToken }
    }
    intake.complete(list.resourceVersion)
    return { kind: 'listed' }
  }

  async function follow(phase: Phase, progress: Progress, signal: AbortSignal): Promise<Outcome> {
    if (phase.kind === 'watch-list') {
      intake.begin()
      enter({ kind: 'listing' })
    }
    const stream = await client.stream(watchRequest(phase), signal)
    if (phase.kind === 'watch') watching(progress)
    const splitter = createLineSplitter()
    let objects = 0
    for await (const chunk of stream) {
      for (const line of splitter.push(chunk)) {
        const event = parseWatchEvent(line)
        if (progress.watchingSinceMs !== undefined) live(event)
        else if (initial(event)) watching(progress)
        else if (++objects % YIELD_EVERY === 0) await yieldToLoop()
        progress.heard = true
      }
    }
    // A line without its end was cut off: the version that it would have brought is still to come.
    return { kind: 'interrupted', reason: 'ended', listed: progress.listed, heard: progress.heard }
  }

  function watchRequest(phase: Phase): KubeRequest {
    const timeoutSeconds = 300 + Math.floor(Math.random() * 301)
    const from =
      phase.kind === 'watch-list'
        ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan', resourceVersion: store.resourceVersion }
        : { resourceVersion: store.resourceVersion }
    return { path, query: { watch: true, allowWatchBookmarks: true, timeoutSeconds, ...from }, silenceMs }
  }

  function notOlder(): { readonly resourceVersion?: string; readonly resourceVersionMatch?: string } {
    return store.resourceVersion === undefined
      ? {}
      : { resourceVersion: store.resourceVersion, resourceVersionMatch: 'NotOlderThan' }
  }

  function watching(progress: Progress): void {
    progress.listed = true
    progress.watchingSinceMs = performance.now()
    enter({ kind: 'watching' })
  }

  /** An event of the initial set; true for the bookmark at its end. */
  function initial(event: WatchEvent): boolean {
    if (event.kind === 'bookmark' && event.initialEventsEnd) {
      intake.complete(event.resourceVersion)
      return true
    }
    if (event.kind === 'put') intake.gather(event.object)
    else if (event.kind === 'delete') intake.omit(event.object)
    else if (event.kind !== 'bookmark') throw broken(event)
    return false
  }

  function live(event: WatchEvent): void {
    if (event.kind === 'put') intake.put(event.object)
    else if (event.kind === 'delete') intake.remove(event.object)
    else if (event.kind === 'bookmark') store.advance(event.resourceVersion)
    else throw broken(event)
  }

  function broken(event: Extract<WatchEvent, { kind: 'error' | 'undecodable' }>): Error {
    return event.kind === 'error'
      ? eventError({ method: 'GET', path, server: client.server }, event.status)
      : undecodable('watch')
  }

  function undecodable(what: string): UnavailableError {
    const target = `kubernetes ${client.server} GET ${path}`
    return new UnavailableError(`${target}: the ${what} can not be decoded`, { code: 'undecodable', target })
  }

  return {
    get state() {
      return state
    },
    run,
  }
}

function isHealthy({ watchingSinceMs }: Progress): boolean {
  return watchingSinceMs !== undefined && performance.now() - watchingSinceMs >= HEALTHY_AFTER_MS
}
