/**
 * The targets that somebody in this process follows, each read and watched once however many follow it. The watch stream is there only
 * while one of them is, so that a process that follows nothing can end.
 *
 * While etcd is away the last known set stays in force; it changes only by what etcd said (`etcd/mirror.ts` heals compaction, restored and
 * replaced stores).
 */
import { errorOf, UnavailableError } from '../errors.ts'
import type { EtcdClient } from '../etcd/client.ts'
import type { Revision } from '../etcd/kv.ts'
import { createMirrors } from '../etcd/mirror.ts'
import type { Mirrors } from '../etcd/mirror.ts'
import { createWatcher } from '../etcd/watch.ts'
import type { Watcher } from '../etcd/watch.ts'
import type { Log } from '../runtime/log.ts'
import { targetRange } from './key.ts'
import { EndpointView } from './view.ts'
import type { WatchUpdate } from './view.ts'

/** None is called before `follow` has returned. */
export interface Follower {
  /** First the whole set, as adds in key order; then what changed, in whole revisions. */
  readonly onChange: (updates: readonly WatchUpdate[], revision: Revision, view: EndpointView) => void
  /** It could not be read, or the watch was refused; it is tried again. */
  readonly onProblem: (problem: Error) => void
  /** The first set holds every write that was acknowledged before; else it is what is known here, at once. */
  readonly isFresh?: boolean | undefined
}

export interface TargetWatches {
  /** @returns what ends it */
  follow(target: string, follower: Follower): () => void
  close(): void
}

interface TargetWatch {
  readonly follow: (follower: Follower) => () => void
  readonly close: () => void
}

export function createTargetWatches(client: EtcdClient, log: Log): TargetWatches {
  const targets = new Map<string, TargetWatch>()
  let closed = false
  let stream: { readonly watcher: Watcher; readonly mirrors: Mirrors } | undefined

  function openStream() {
    const watcher = createWatcher({ client, log })
    return { watcher, mirrors: createMirrors({ kv: client, watcher, log }) }
  }

  function openTarget(target: string): TargetWatch {
    const view = new EndpointView()
    const followers = new Set<Follower>()
    /** Those that have been told the whole set. */
    const told = new Set<Follower>()
    /** Those that wait for `freshen`. */
    const behind = new Set<Follower>()
    const closing = new AbortController()
    let known = false
    stream ??= openStream()
    const { watcher, mirrors } = stream
    const mirror = mirrors.open({
      range: targetRange(target),
      onChange(changedKeys) {
        const { updates, skipped } = view.apply(mirror.entries, changedKeys)
        for (const each of skipped) log.warn({ ...each }, 'not an endpoint: skipped')
        const isFirst = !known
        known = true
        if (isFirst) for (const follower of followers) tell(follower)
        else if (updates.length > 0) for (const follower of told) follower.onChange(updates, mirror.observed, view)
      },
      onProblem(problem) {
        for (const follower of followers) follower.onProblem(problem)
      },
    })

    function tell(follower: Follower): void {
      if (!followers.has(follower) || told.has(follower) || behind.has(follower)) return
      told.add(follower)
      follower.onChange(view.snapshot(), mirror.observed, view)
    }

    /** The read that began the watch may be older than a write that this follower knows of. */
    async function freshen(follower: Follower): Promise<void> {
      behind.add(follower)
      try {
        await mirror.whenReady(closing.signal)
        await watcher.sync(closing.signal)
        behind.delete(follower)
        tell(follower)
      } catch (error) {
        if (!followers.has(follower)) return
        follower.onProblem(errorOf(error))
      }
    }

    function leave(follower: Follower): void {
      told.delete(follower)
      behind.delete(follower)
      if (!followers.delete(follower) || followers.size > 0) return
      targets.delete(target)
      close()
      if (targets.size > 0) return
      stream?.watcher.close()
      stream = undefined
    }

    function close(): void {
      closing.abort()
      mirror.close()
      for (const follower of followers) follower.onProblem(closedError())
    }

    return {
      follow(follower) {
        const isFirst = followers.size === 0
        followers.add(follower)
        if (follower.isFresh === true && !isFirst) void freshen(follower)
        else if (known)
          queueMicrotask(() => {
            tell(follower)
          })
        // Who asks afresh is answered by the next attempt.
        const problem = follower.isFresh === true ? null : mirror.problem
        if (problem !== null)
          queueMicrotask(() => {
            if (followers.has(follower)) follower.onProblem(problem)
          })
        return () => {
          leave(follower)
        }
      },
      close,
    }
  }

  return {
    follow(target, follower) {
      if (closed) {
        queueMicrotask(() => {
          follower.onProblem(closedError())
        })
        return () => undefined
      }
      let watch = targets.get(target)
      if (watch === undefined) {
        watch = openTarget(target)
        targets.set(target, watch)
      }
      return watch.follow(follower)
    },
    close() {
      closed = true
      for (const watch of targets.values()) watch.close()
      targets.clear()
      stream?.watcher.close()
      stream = undefined
    },
  }
}

/** What everything fails with after `close`. */
export function closedError(): UnavailableError {
  return new UnavailableError('the connection to etcd was closed', { code: 'closed', target: 'etcd' })
}
