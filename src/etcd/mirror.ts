/**
 * Mirror: one range of etcd, kept in memory: read once at a fixed revision, then watched from the next one. After a compaction, after an
 * outage, or when another store answers, it reads again and tells only what differs; meanwhile it is not `ready`, but keeps what it had.
 */
import type { Log } from '../runtime/log.ts'
import { ForbiddenError, UnavailableError, describeError, errorOf } from '../errors.ts'
import { createBackoff } from '../runtime/backoff.ts'
import type { Entry, KeyRange, Kv, Revision } from './kv.ts'
import { createLoader } from './loader.ts'
import type { Loader } from './loader.ts'
import { ObservedRange } from './observed-range.ts'
import type { OwnCommit } from './observed-range.ts'
import { sleep } from '../runtime/sleep.ts'
import type { Watcher } from './watch.ts'

export interface MirrorOptions {
  readonly range: KeyRange
  /**
   * Keys that are new, changed or gone, in whole revisions; not those of `apply`. Also called, perhaps without a key, whenever the mirror
   * becomes ready.
   */
  readonly onChange: (changedKeys: readonly string[]) => void
  /** It could not be read, or its watch was refused: it goes on trying. Also in `problem`, until it is ready (again). */
  readonly onProblem?: ((problem: Error) => void) | undefined
}

export interface Mirror {
  /** `entries` is the whole range at some moment, and the watch keeps it so. False before the first read and while reading again. */
  readonly ready: boolean
  readonly entries: ReadonlyMap<string, Entry>
  /** The guard's revision for this range: its last read, watch delivery or own guarded commit. */
  readonly observed: Revision
  /** Everything up to this revision was read or delivered; progress notifies count. For the proof of a new leader, not for guards. */
  readonly delivered: Revision
  /** Why it is not ready although it should be, e.g. permission denied; `null` when nothing is wrong. */
  readonly problem: Error | null
  /** @throws UnavailableError when the signal is aborted first */
  whenReady(signal: AbortSignal): Promise<void>
  /** Our own commit to this range. */
  apply(own: OwnCommit): void
  close(): void
}

export interface Mirrors {
  open(options: MirrorOptions): Mirror
}

export interface MirrorsOptions {
  readonly kv: Kv
  readonly watcher: Watcher
  /** Another cluster answers or the store went back in time; every mirror reads again. Called once a mirror. */
  readonly onStoreChanged?: (() => void) | undefined
  readonly log: Log
}

const LONGEST_BACKOFF_MS = 10_000

export function createMirrors(options: MirrorsOptions): Mirrors {
  const loader = createLoader(options.kv)
  return { open: (mirror) => openMirror({ ...options, ...mirror, loader }) }
}

function openMirror(options: MirrorsOptions & MirrorOptions & { readonly loader: Loader }): Mirror {
  const { range, watcher, log } = options
  const observed = new ObservedRange()
  const closing = new AbortController()
  const backoff = createBackoff(100, LONGEST_BACKOFF_MS)
  const waiters = new Set<() => void>()
  let watch: { close(): void } | undefined
  let ready = false
  let problem: Error | null = null

  async function load(): Promise<void> {
    ready = false
    while (!closing.signal.aborted) {
      try {
        const { entries, header } = await options.loader.load(range, closing.signal)
        if (closing.signal.aborted) return
        backoff.reset()
        // A linearizable read can not be older than what was delivered before.
        if (header.revision < observed.delivered) storeChanged()
        return follow(observed.read(entries, header.revision), header.revision)
      } catch (error) {
        if (closing.signal.aborted) return
        failed(errorOf(error))
        log.warn({ key: range.key, error: describeError(error) }, 'etcd range can not be read')
        // A refusal is lifted by a person: nobody waits for the second of it.
        const longestMs = error instanceof ForbiddenError ? LONGEST_BACKOFF_MS : LONGEST_BACKOFF_MS / 5
        await sleep(Math.min(longestMs, backoff.next()), closing.signal)
      }
    }
  }

  function follow(changed: readonly string[], revision: Revision): void {
    watch = watcher.watch({
      range,
      startRevision: revision + 1,
      onEvents: (events, last) => {
        const keys = observed.watched(events, last)
        if (keys.length > 0) options.onChange(keys)
      },
      onProgress: (last) => {
        observed.passed(last)
      },
      onCompacted: (compactRevision) => {
        log.info({ key: range.key, compactRevision }, 'etcd watch was compacted: reading again')
        void load()
      },
      onStoreChanged: () => {
        storeChanged()
        void load()
      },
      onOutage: () => {
        void load()
      },
      onInterrupted: (error) => {
        log.warn({ key: range.key, error: describeError(error) }, 'etcd watch was refused')
        ready = false
        failed(error)
      },
      onResumed: () => {
        becomeReady([])
      },
    })
    becomeReady(changed)
  }

  function storeChanged(): void {
    observed.forgetRevisions()
    options.onStoreChanged?.()
  }

  function failed(error: Error): void {
    problem = error
    options.onProblem?.(error)
  }

  function becomeReady(changed: readonly string[]): void {
    ready = true
    problem = null
    for (const wake of waiters) wake()
    waiters.clear()
    options.onChange(changed)
  }

  void load()

  return {
    get ready() {
      return ready
    },
    get entries() {
      return observed.entries
    },
    get observed() {
      return observed.observed
    },
    get delivered() {
      return observed.delivered
    },
    get problem() {
      return problem
    },
    async whenReady(signal) {
      if (ready) return
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const given = AbortSignal.any([signal, closing.signal])
      const giveUp = () => {
        const details = { code: 'aborted', target: `etcd range ${range.key}`, cause: problem ?? given.reason }
        reject(new UnavailableError(`etcd range ${range.key} is not complete`, details))
      }
      if (given.aborted) giveUp()
      given.addEventListener('abort', giveUp)
      waiters.add(resolve)
      try {
        await promise
      } finally {
        waiters.delete(resolve)
        given.removeEventListener('abort', giveUp)
      }
    },
    apply: (own) => {
      observed.committed(own)
    },
    close() {
      closing.abort()
      watch?.close()
      ready = false
    },
  }
}
