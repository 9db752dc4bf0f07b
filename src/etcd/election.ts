/**
 * Leadership in etcd: the key `<statePrefix>leader` on a short lease, with a random nonce as value. The winner gets a fence: compares
 * that make etcd itself refuse the writes of a leader that was deposed, paused or delayed (S1). Why the mod revision and not the create
 * revision: it is the token that `bump` moves, which kills every request that is still on its way.
 */
import { randomUUID } from 'node:crypto'
import type { Log } from '../runtime/log.ts'
import { RejectedError, TimeoutError, UnavailableError, describeError } from '../errors.ts'
import { createBackoff } from '../runtime/backoff.ts'
import { prefixRange } from './kv.ts'
import type { Compare, Entry, Kv, LeaseId, Op, OpResult, Revision } from './kv.ts'
import type { LeaseKeeper } from './lease-keeper.ts'
import { sleep } from '../runtime/sleep.ts'
import type { Watcher } from './watch.ts'

export interface Leadership {
  /** Root compares of every writing Txn; they change with `bump`, so read them when the Txn is built. */
  readonly fence: readonly Compare[]
  /** What a Txn whose fence failed has to read in its else branch, for `holds`. */
  readonly witness: readonly Op[]
  /** Does this answer to `witness` say that we still lead? */
  holds(results: readonly OpResult[]): boolean
  /** The revision of the win: before the first write, mirrors have to be at or past it. */
  readonly wonAt: Revision
  /** Aborted as soon as we can not be sure to lead any more, for whatever reason; never taken back. */
  readonly lost: AbortSignal
  /**
   * Puts the leader key again, with the same value, until that is answered. When it resolves with a revision, nothing that was sent
   * before can commit any more, and everything that did commit is older than that revision. `null`: we no longer lead.
   */
  bump(signal: AbortSignal): Promise<Revision | null>
  /** We do not lead (any more): `lost` is aborted, the lease is left to expire. */
  abandon(reason: string): void
  /** Whether another replica waits to lead and could act at once: to yield to nobody would help nobody (L12). */
  hasCandidates(signal: AbortSignal): Promise<boolean>
  /** Deletes the leader key if it is still ours, so that a standby leads within milliseconds. Never throws. */
  resign(signal: AbortSignal): Promise<void>
}

export interface Election {
  /**
   * Waits until we lead; meanwhile the key `candidates/<nonce>` says that we could, and so only who can act may call it. It goes with its
   * lease when the signal is aborted. @throws UnavailableError `aborted` when the signal is aborted first
   */
  campaign(signal: AbortSignal): Promise<Leadership>
}

export interface ElectionOptions {
  readonly kv: Kv
  readonly keeper: LeaseKeeper
  readonly watcher: Watcher
  readonly statePrefix: string
  /** The value of `<statePrefix>identity`, see `identity.ts`. */
  readonly identity: string
  readonly ttlSeconds: number
  readonly log: Log
}

const CHECK_MS = 50
/** The part of the TTL before the end of the lease at which we stop to lead: nobody else can have won by then. */
const MARGIN = 0.1

export function createElection(options: ElectionOptions): Election {
  const { kv, keeper, watcher, log, ttlSeconds } = options
  const leaderKey = `${options.statePrefix}leader`
  const candidates = `${options.statePrefix}candidates/`
  /** Nonces of reigns of this very process that have ended. */
  const past = new Set<string>()

  async function campaign(signal: AbortSignal): Promise<Leadership> {
    const nonce = randomUUID()
    const value = JSON.stringify([nonce])
    const candidate = `${candidates}${nonce}`
    const backoff = createBackoff(100, 2_000)
    let lease: LeaseId | undefined
    try {
      for (;;) {
        if (signal.aborted) throw aborted(signal)
        try {
          if (lease === undefined || keeper.state(lease).kind !== 'alive') {
            if (lease !== undefined) keeper.remove(lease)
            lease = await keeper.grant(ttlSeconds, signal)
          }
          const { header, succeeded, results } = await kv.txn(
            {
              compare: [{ kind: 'createRevision', key: leaderKey, result: '=', revision: 0 }],
              success: [
                { kind: 'put', key: leaderKey, value, lease },
                { kind: 'delete', key: candidate },
              ],
              failure: [
                { kind: 'range', key: leaderKey },
                { kind: 'put', key: candidate, value, lease },
              ],
            },
            signal,
          )
          backoff.reset()
          if (succeeded) return lead(value, lease, header.revision)
          const incumbent = entryOf(results[0])
          // Ours, from an attempt whose reply was lost. On a lease that died meanwhile it goes away by itself.
          if (incumbent?.value.toString() === value && incumbent.lease === lease)
            return lead(value, lease, incumbent.modRevision)
          if (incumbent !== undefined) await outlast(incumbent, header.revision, signal)
        } catch (error) {
          if (signal.aborted) throw aborted(signal)
          const retry =
            error instanceof UnavailableError ||
            error instanceof TimeoutError ||
            (error instanceof RejectedError && error.code === 'lease-not-found')
          if (!retry) throw error
          if (error instanceof RejectedError && lease !== undefined) keeper.check(lease)
          log.warn({ error: describeError(error) }, 'campaign failed: trying again')
          await sleep(backoff.next(), signal)
        }
      }
    } catch (error) {
      if (lease !== undefined) keeper.remove(lease)
      throw error
    }
  }

  /**
   * Waits until the incumbent's key goes. One without a lease would stay for ever: nobody's, so it is deleted. One of an earlier reign of
   * our own is deleted too: that reign is over, and an etcd that was away gives its lease the whole TTL again.
   */
  async function outlast(incumbent: Entry, seenAt: Revision, signal: AbortSignal): Promise<void> {
    if (incumbent.lease === null || past.has(incumbent.value.toString())) {
      log.warn({ key: leaderKey }, 'leader key that nobody keeps: deleting it')
      await kv.txn(
        {
          compare: [{ kind: 'modRevision', key: leaderKey, result: '=', revision: incumbent.modRevision }],
          success: [{ kind: 'delete', key: leaderKey }],
          failure: [],
        },
        signal,
      )
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = () => {
      resolve()
    }
    const watch = watcher.watch({
      range: { key: leaderKey },
      startRevision: seenAt + 1,
      onEvents: (events) => {
        if (events.some(({ kind }) => kind === 'delete')) done()
      },
      onCompacted: done,
      onStoreChanged: done,
    })
    signal.addEventListener('abort', done, { once: true })
    await promise
    signal.removeEventListener('abort', done)
    watch.close()
  }

  function lead(value: string, lease: LeaseId, wonAt: Revision): Leadership {
    const losing = new AbortController()
    const ours: Compare = { kind: 'value', key: leaderKey, value }
    const identity: Compare = { kind: 'value', key: `${options.statePrefix}identity`, value: options.identity }
    let token = wonAt

    const lose = (reason: string) => {
      if (losing.signal.aborted) return
      log.warn({ reason }, 'leadership lost')
      end(reason)
    }
    const marginMs = ttlSeconds * 1_000 * MARGIN
    const end = (reason: string) => {
      past.add(value)
      clearInterval(ticker)
      watch?.close()
      keeper.remove(lease)
      losing.abort(new UnavailableError(`leadership lost: ${reason}`, { code: 'fenced', target: leaderKey }))
    }
    const ticker = setInterval(() => {
      const state = keeper.state(lease)
      if (state.kind !== 'alive' || state.validUntilMs - performance.now() < marginMs) lose('the lease is not alive')
    }, CHECK_MS)
    let watch: { close(): void } | undefined
    const follow = (startRevision: Revision) => {
      watch = watcher.watch({
        range: { key: leaderKey },
        startRevision,
        onEvents: (events) => {
          const last = events.at(-1)
          if (last?.kind !== 'put' || last.entry.value.toString() !== value) lose('the leader key is gone')
        },
        // The lease and the fence still protect us.
        onCompacted: (compactRevision) => {
          follow(compactRevision)
        },
        onStoreChanged: () => {
          lose('another store answers')
        },
      })
    }
    follow(wonAt + 1)

    return {
      wonAt,
      lost: losing.signal,
      get fence(): readonly Compare[] {
        return [ours, { kind: 'modRevision', key: leaderKey, result: '=', revision: token }, identity]
      },
      witness: [
        { kind: 'range', key: leaderKey },
        { kind: 'range', key: identity.key },
      ],
      holds: ([leader, bound]) => valueOf(leader) === value && valueOf(bound) === options.identity,

      async bump(signal) {
        const given = AbortSignal.any([signal, losing.signal])
        const backoff = createBackoff(50, 1_000)
        while (!given.aborted) {
          try {
            const { header, succeeded, results } = await kv.txn(
              {
                compare: [ours, { kind: 'modRevision', key: leaderKey, result: '=', revision: token }],
                success: [{ kind: 'put', key: leaderKey, value, lease }],
                failure: [{ kind: 'range', key: leaderKey }],
              },
              given,
            )
            const leader = entryOf(results[0])
            if (succeeded) token = header.revision
            // An earlier attempt of this very bump was applied although its reply was lost: just as good a barrier.
            else if (leader?.value.toString() === value) token = leader.modRevision
            else lose('another leads')
            return losing.signal.aborted ? null : token
          } catch (error) {
            if (!(error instanceof UnavailableError || error instanceof TimeoutError)) {
              lose(describeError(error))
              return null
            }
            log.warn({ error: describeError(error) }, 'leader key can not be put: trying again')
            await sleep(backoff.next(), given)
          }
        }
        if (losing.signal.aborted) return null
        throw aborted(signal)
      },

      abandon: lose,

      async hasCandidates(signal) {
        const { entries } = await kv.range(prefixRange(candidates), signal)
        return entries.some((entry) => entry.lease !== lease)
      },

      async resign(signal) {
        if (!losing.signal.aborted) end('resigned')
        try {
          await kv.txn({ compare: [ours], success: [{ kind: 'delete', key: leaderKey }], failure: [] }, signal)
        } catch (error) {
          log.warn({ error: describeError(error) }, 'leader key can not be deleted: it expires')
        }
      },
    }
  }

  return { campaign }
}

function aborted(signal: AbortSignal): UnavailableError {
  return new UnavailableError('given up', { code: 'aborted', target: 'etcd election', cause: signal.reason })
}

function entryOf(result: OpResult | undefined): Entry | undefined {
  return result?.kind === 'range' ? result.entries[0] : undefined
}

function valueOf(result: OpResult | undefined): string | undefined {
  return entryOf(result)?.value.toString()
}
