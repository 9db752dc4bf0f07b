/**
 * Watches of thousands of ranges, multiplexed on one stream that is replaced whenever it breaks, without losing or repeating an event.
 *
 * - The next revision to ask for is the last event's + 1; a `created` reply proves nothing (events may still be on their way).
 * - On the wire a watch starts one revision early and what is known already is dropped: etcd does not answer progress requests as long as
 *   one watch of the stream starts in the future, which in a quiet store would be for ever (mvcc `progressIfSync`).
 * - Whole revisions: fragments are put together before they are delivered.
 * - A stream that is silent is asked for progress; one that does not answer is dead, and so is its connection.
 * - Compaction and a changed store are outcomes that end the watch: its owner has to read again (S15).
 */
import type { Log } from '../runtime/log.ts'
import { UnavailableError } from '../errors.ts'
import type { EtcdClient } from './client.ts'
import { revisionOf } from './kv.ts'
import type { KvEvent, Revision } from './kv.ts'
import { createLink } from './link.ts'
import { errorFromCancelReason, isStaleToken } from './status-errors.ts'
import { sleep } from '../runtime/sleep.ts'
import type { Stream, WatchMessage, WatchRequest } from './streams.ts'
import type { WatchOptions } from './watch-options.ts'

export interface Watcher {
  watch(options: WatchOptions): { close(): void }
  /**
   * A barrier: resolves with a revision not older than any commit answered before the call, when every watch, also those that are being
   * created or resumed, has delivered everything up to it. Watches that are refused by the server do not count.
   */
  sync(signal: AbortSignal): Promise<Revision>
  close(): void
}

interface Watch extends WatchOptions {
  /** A new one for each create: etcd keeps the ID of a compacted watch. */
  id: number
  phase: 'waiting' | 'creating' | 'open' | 'refused'
  /** Every event below this was delivered. */
  next: Revision
  /** Compaction left us only `next` itself to start from. */
  exact: boolean
  wasRefused: boolean
  /** Order of the `created` reply among the progress requests. */
  openedAt: number
  fragments: KvEvent[]
}

const SILENT_MS = 5_000
/** No etcd is stopped, restored from a backup and started again in less. */
const OUTAGE_MS = 250
const UNANSWERED_MS = 3_000
const TICK_MS = 500
const REFUSED_RETRY_MS = 10_000
const MAX_PROBES = 256
/** A progress request is not answered while a watch is catching up: ask again. */
const SYNC_PROBE_MS = 50

export function createWatcher(options: { readonly client: EtcdClient; readonly log: Log }): Watcher {
  const { client, log } = options
  const closing = new AbortController()
  const watches = new Set<Watch>()
  const byId = new Map<number, Watch>()
  /** Creates without reply, oldest first: a refusal does not name the watch, but replies come in order. */
  let creating: Watch[] = []
  /** Progress requests that may still be answered, oldest first. */
  let probes: number[] = []
  const waiters = new Set<() => void>()
  let nextId = 1
  let sequence = 0
  let clusterId: string | undefined
  let probedAtMs: number | undefined
  /** Of the stream that was lost. */
  let heardAtMs: number | undefined

  const link = createLink<WatchRequest, WatchMessage>({
    name: 'watch',
    longestBackoffMs: 2_000,
    open: (handlers, signal) => client.openWatch(handlers, signal),
    onOpen: (stream) => {
      const outage = heardAtMs !== undefined && performance.now() - heardAtMs > OUTAGE_MS
      heardAtMs = undefined
      for (const watch of watches) {
        if (watch.phase !== 'waiting') continue
        if (!outage || watch.onOutage === undefined) create(stream, watch)
        else if (watches.delete(watch)) watch.onOutage()
      }
    },
    onMessage: receive,
    onLost: () => {
      heardAtMs ??= link.heardAtMs
      creating = []
      probes = []
      probedAtMs = undefined
      byId.clear()
      for (const watch of watches) {
        watch.fragments = []
        if (watch.phase !== 'refused') watch.phase = 'waiting'
      }
    },
    log,
  })

  function create(on: Stream<WatchRequest>, watch: Watch): void {
    watch.id = nextId++
    watch.phase = 'creating'
    byId.set(watch.id, watch)
    creating.push(watch)
    const startRevision = watch.exact ? watch.next : Math.max(1, watch.next - 1)
    on.write({ kind: 'create', id: watch.id, range: watch.range, startRevision })
  }

  function receive(message: WatchMessage, on: Stream<WatchRequest>): void {
    probedAtMs = undefined
    if (clusterId !== undefined && clusterId !== message.header.clusterId) {
      log.error({ was: clusterId, is: message.header.clusterId }, 'another etcd cluster answers')
      clusterId = message.header.clusterId
      return storeChanged()
    }
    clusterId = message.header.clusterId
    if (message.created) return created(on, message)
    if (message.id === -1) return progressOfAll(message.header.revision)
    const watch = byId.get(message.id)
    if (watch === undefined) return
    if (message.canceled) return canceled(on, watch, message)
    if (message.events.length === 0) return progress(watch, message.header.revision)
    deliver(watch, message)
  }

  function created(on: Stream<WatchRequest>, message: WatchMessage): void {
    const watch = creating.shift()
    if (watch === undefined) return
    if (message.canceled) {
      byId.delete(watch.id)
      if (watches.has(watch)) refused(watch, message.cancelReason)
      return
    }
    link.proven()
    watch.phase = 'open'
    watch.openedAt = ++sequence
    if (!watches.has(watch)) return on.write({ kind: 'cancel', id: watch.id })
    if (message.header.revision < watch.next - 1) void checkStore(watch)
    if (watch.wasRefused) {
      watch.wasRefused = false
      watch.onResumed?.()
    }
  }

  function canceled(on: Stream<WatchRequest>, watch: Watch, message: WatchMessage): void {
    byId.delete(watch.id)
    if (!watches.has(watch)) return
    watch.fragments = []
    if (message.compactRevision === 0) return refused(watch, message.cancelReason)
    // etcd keeps a compacted watch until it is cancelled, and answers no progress request of the stream as long as it does.
    on.write({ kind: 'cancel', id: watch.id })
    if (message.compactRevision <= watch.next && !watch.exact) {
      watch.exact = true
      return create(on, watch)
    }
    watches.delete(watch)
    watch.onCompacted(message.compactRevision)
  }

  function refused(watch: Watch, reason: string): void {
    if (isStaleToken(reason)) return link.replace(reason, 'token')
    watch.phase = 'refused'
    watch.wasRefused = true
    watch.onInterrupted?.(errorFromCancelReason(reason, `etcd watch of ${watch.range.key}`))
    void retryRefused(watch)
  }

  async function retryRefused(watch: Watch): Promise<void> {
    await sleep(REFUSED_RETRY_MS * (0.5 + Math.random()), closing.signal)
    if (!watches.has(watch) || watch.phase !== 'refused') return
    watch.phase = 'waiting'
    if (link.stream !== undefined) create(link.stream, watch)
  }

  function deliver(watch: Watch, message: WatchMessage): void {
    watch.fragments.push(...message.events)
    if (message.fragment) return
    const events = watch.fragments.filter((event) => revisionOf(event) >= watch.next)
    watch.fragments = []
    const last = events.at(-1)
    if (last === undefined) return
    const revision = revisionOf(last)
    watch.next = revision + 1
    watch.exact = false
    watch.onEvents(events, revision)
  }

  function progress(watch: Watch, revision: Revision): void {
    if (revision < watch.next) return
    watch.next = revision + 1
    watch.exact = false
    watch.onProgress?.(revision)
  }

  /** The answer may be to the oldest request: it speaks only for watches that were open when that one was sent. */
  function progressOfAll(revision: Revision): void {
    const asked = probes.shift() ?? 0
    for (const watch of watches) if (watch.phase === 'open' && watch.openedAt < asked) progress(watch, revision)
    for (const wake of waiters) wake()
  }

  function probe(): void {
    if (link.stream === undefined) return
    // Those that etcd left unanswered (a watch was catching up) shift the pairing of all that follow.
    if (probes.length >= MAX_PROBES) return link.replace('progress requests are not answered')
    probes.push(++sequence)
    link.stream.write({ kind: 'progress' })
  }

  /** A member that lags may show an old revision; only a linearizable read tells that from a store that was set back. */
  async function checkStore(watch: Watch): Promise<void> {
    const expected = watch.next - 1
    try {
      const { header } = await client.range({ ...watch.range, limit: 1, keysOnly: true }, closing.signal)
      if (header.revision >= expected || !watches.has(watch)) return
      log.error({ was: expected, is: header.revision }, 'etcd went back in time')
      storeChanged()
    } catch (error) {
      if (!closing.signal.aborted) link.replace(error)
    }
  }

  function storeChanged(): void {
    const gone = [...watches]
    watches.clear()
    link.replace('the store changed')
    for (const watch of gone) watch.onStoreChanged()
  }

  function tick(): void {
    const nowMs = performance.now()
    const quietMs = nowMs - link.heardAtMs
    if (link.stream === undefined || byId.size === 0 || quietMs < SILENT_MS) return
    if (probedAtMs !== undefined && nowMs - probedAtMs > UNANSWERED_MS) {
      return link.replace(`silent for ${Math.round(quietMs)} ms`, 'silent')
    }
    probedAtMs ??= nowMs
    probe()
  }
  const ticker = setInterval(tick, TICK_MS)

  return {
    watch(watchOptions) {
      const watch: Watch = {
        ...watchOptions,
        id: 0,
        phase: 'waiting',
        next: watchOptions.startRevision,
        exact: false,
        wasRefused: false,
        openedAt: 0,
        fragments: [],
      }
      watches.add(watch)
      if (link.stream === undefined) link.connect()
      else create(link.stream, watch)
      return {
        close() {
          if (!watches.delete(watch)) return
          // Before its reply etcd does not know it: then it is cancelled there.
          if (watch.phase === 'open') link.stream?.write({ kind: 'cancel', id: watch.id })
          if (watch.phase !== 'creating') byId.delete(watch.id)
        },
      }
    },

    async sync(signal) {
      const counted = () => [...watches].filter(({ phase }) => phase !== 'refused')
      const [first] = counted()
      if (first === undefined) return 0
      const { header } = await client.range({ ...first.range, limit: 1, keysOnly: true }, signal)
      const target = header.revision
      while (counted().some(({ next }) => next <= target)) {
        const details = { code: 'aborted', target: 'etcd watch', cause: signal.reason }
        if (signal.aborted) throw new UnavailableError('etcd watch: not in step in time', details)
        if (counted().every(({ phase }) => phase === 'open')) probe()
        const { promise, resolve } = Promise.withResolvers<void>()
        waiters.add(resolve)
        await Promise.race([promise, sleep(SYNC_PROBE_MS, signal)])
        waiters.delete(resolve)
      }
      return target
    },

    close() {
      clearInterval(ticker)
      closing.abort()
      link.close()
      watches.clear()
    },
  }
}
