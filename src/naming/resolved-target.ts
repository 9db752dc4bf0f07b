/**
 * What the channels to one target are told: the addresses, or that there are none and why. Shared by all channels of a registration.
 *
 * - Only a list that differs is told: grpc-js builds every connection of round_robin anew for each.
 * - What changed while a channel was busy with the last list (10 ms for 500 endpoints) is told as one, or a channel that gets more changes
 *   than it can take would fall behind without end.
 * - An error is told only as long as no list was ever known; after that the last one stays in force while etcd is away, also over a time
 *   when no channel was there to listen (they go idle).
 * - An empty target is an answer like any other, at first and later, except for the grace time.
 */
import type { Log } from '../runtime/log.ts'
import { dialAddressesOf } from './dial-address.ts'
import type { Dialable } from './dial-address.ts'
import type { TargetWatches } from './target-watches.ts'
import type { EndpointView } from './view.ts'

export type Resolution =
  | { readonly kind: 'addresses'; readonly addresses: readonly Dialable[] }
  /** Never resolved. */
  | { readonly kind: 'failed'; readonly error: Error }

export interface ResolvedTarget {
  /** Tells the present resolution if there is one, then each other one; never before it returned. @returns what ends it */
  listen(listener: (resolution: Resolution) => void): () => void
}

export interface ResolvedTargetOptions {
  readonly target: string
  readonly targets: TargetWatches
  readonly emptyGraceMs: number
  /** Of the order of addresses. */
  readonly seed: number
  readonly log: Log
}

/** After this long without an answer the list of an earlier time is used. An etcd that is well answers in a few; then its list counts. */
const REMEMBER_AFTER_MS = 100
/** The longest that `setTimeout` takes; more is for ever. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export function createResolvedTarget(options: ResolvedTargetOptions): ResolvedTarget {
  const log = options.log.child({ target: options.target })
  const listeners = new Set<(resolution: Resolution) => void>()
  let resolution: Resolution | undefined
  /** The last list that etcd told, kept while nobody listens. */
  let remembered: Extract<Resolution, { kind: 'addresses' }> | undefined
  let stop: (() => void) | undefined

  function start(): () => void {
    let changed: NodeJS.Immediate | undefined
    let empty: NodeJS.Timeout | undefined
    /** What was complained of already. */
    let warned = ''
    const recall = setTimeout(() => {
      if (remembered !== undefined) tell(remembered)
    }, REMEMBER_AFTER_MS)

    function take(view: EndpointView): void {
      const { addresses, undialable } = dialAddressesOf(view.endpoints(), options.seed)
      if (undialable.length > 0 && undialable.join() !== warned) {
        log.warn({ addrs: undialable }, 'not an address that can be dialled: skipped')
      }
      warned = undialable.join()
      const { emptyGraceMs } = options
      const publish = () => {
        tell((remembered = { kind: 'addresses', addresses }))
      }
      if (addresses.length > 0 || emptyGraceMs === 0 || remembered === undefined || remembered.addresses.length === 0) {
        clearTimeout(empty)
        empty = undefined
        return publish()
      }
      tell(remembered)
      if (empty !== undefined) return
      log.warn({ graceMs: emptyGraceMs }, 'target is empty: the last addresses are kept for a time')
      empty = setTimeout(
        () => {
          if (emptyGraceMs <= LONGEST_TIMER_MS) publish()
        },
        Math.min(emptyGraceMs, LONGEST_TIMER_MS),
      ).unref()
    }

    const unfollow = options.targets.follow(options.target, {
      onChange(_updates, _revision, view) {
        clearTimeout(recall)
        // All that has come in by now at once, when it is read.
        changed ??= setImmediate(() => {
          changed = undefined
          take(view)
        })
      },
      onProblem(error) {
        if (resolution?.kind === 'addresses') return
        tell(remembered ?? { kind: 'failed', error })
      },
    })
    return () => {
      clearImmediate(changed)
      clearTimeout(recall)
      clearTimeout(empty)
      unfollow()
    }
  }

  function tell(next: Resolution): void {
    if (resolution !== undefined && same(resolution, next)) return
    resolution = next
    // A copy: who joins meanwhile is told by `listen`.
    for (const listener of Array.from(listeners)) {
      try {
        listener(next)
      } catch (error) {
        // It runs code of the application, whose mistake must not keep the list from the other channels.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  return {
    listen(listener) {
      listeners.add(listener)
      stop ??= start()
      const present = resolution
      if (present !== undefined) {
        queueMicrotask(() => {
          if (listeners.has(listener)) listener(resolution ?? present)
        })
      }
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        stop?.()
        stop = undefined
        resolution = undefined
      }
    },
  }
}

function same(a: Resolution, b: Resolution): boolean {
  if (a.kind === 'failed' || b.kind === 'failed') {
    return a.kind === 'failed' && b.kind === 'failed' && a.error.message === b.error.message
  }
  const { addresses } = b
  return a.addresses.length === addresses.length && a.addresses.every(({ addr }, at) => addr === addresses[at]?.addr)
}
