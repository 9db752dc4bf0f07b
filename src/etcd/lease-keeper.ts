/**
 * Keeps many leases alive on one raw keep-alive stream, whoever granted them: leases are not bound to a client.
 *
 * Validity counts from the moment a renewal was SENT, on a monotonic clock: never later than what etcd counts. A lease is renewed at a
 * third of its TTL, at random within that third, and sends are paced, so that thousands of leases never go as one burst. One timer and one
 * queue for all. Nothing here revokes a lease that anybody was told of: nothing could fence that (S16).
 */
import { randomBytes } from 'node:crypto'
import type { Log } from '../runtime/log.ts'
import { ForbiddenError, TimeoutError, UnavailableError, describeError } from '../errors.ts'
import { createBackoff } from '../runtime/backoff.ts'
import type { EtcdClient } from './client.ts'
import { DueQueue } from './due-queue.ts'
import type { LeaseId } from './kv.ts'
import { createLink } from './link.ts'
import { sleep } from '../runtime/sleep.ts'
import type { KeepAliveMessage } from './streams.ts'

export type LeaseState =
  /** Not known to the keeper, not acknowledged yet, or not for so long that it may be gone. */
  | { readonly kind: 'unknown' }
  | AliveLease
  /** etcd said that there is no such lease. The ID must not be used again. */
  | { readonly kind: 'lost' }

/** `validUntilMs` on the clock of `performance.now()`: until then etcd has the lease, unless somebody revokes it. */
export interface AliveLease {
  readonly kind: 'alive'
  readonly validUntilMs: number
  readonly grantedTtlSeconds: number
}

export interface LeaseKeeper {
  /** Renews the lease from now on, at once for the first time. Adding a lease that is kept already changes nothing. */
  add(id: LeaseId, ttlSeconds: number): void
  /** Renews it no more; it expires by itself. */
  remove(id: LeaseId): void
  state(id: LeaseId): LeaseState
  /** Renews at once: to find out about a lease that a Txn was refused for. */
  check(id: LeaseId): void
  /**
   * A new lease with a random ID, kept alive. A lost reply is cured by asking again with the same ID.
   * @throws UnavailableError, TimeoutError after three attempts; what `Kv.leaseGrant` throws otherwise
   */
  grant(ttlSeconds: number, signal: AbortSignal): Promise<LeaseId>
  close(): void
}

export interface LeaseKeeperOptions {
  readonly client: EtcdClient
  /** Called once for a lease, when etcd says that it does not exist. */
  readonly onLost?: ((id: LeaseId) => void) | undefined
  /** Called whenever etcd has acknowledged a grant or a renewal. */
  readonly onRenewed?: ((id: LeaseId, lease: AliveLease) => void) | undefined
  readonly log: Log
}

interface Lease {
  readonly id: LeaseId
  ttlSeconds: number
  /** `undefined`: never acknowledged. */
  validUntilMs: number | undefined
  lost: boolean
  /** The renewal that is on its way. */
  sentAtMs: number | undefined
}

/** Rare enough that an application with one lease does not notice it. */
const TICK_MS = 100
/** 5,000 renewals a second. */
const RENEWALS_PER_TICK = 500
/** Less than the renewal interval of the shortest useful TTL: a broken stream is replaced before an election lease expires. */
const SILENT_MS = 1_500
const FORBIDDEN_RETRY_MS = 30_000
const GRANT_ATTEMPTS = 3

export function createLeaseKeeper(options: LeaseKeeperOptions): LeaseKeeper {
  const { client, log } = options
  const leases = new Map<LeaseId, Lease>()
  const due = new DueQueue<LeaseId>()
  /** Renewals without answer on the present stream, oldest first: etcd answers in order, one at a time. */
  let unanswered: Lease[] = []
  /** The connection was lost: whatever comes back may be another store, or one without our leases. */
  let recheck = false

  const link = createLink<LeaseId, KeepAliveMessage>({
    name: 'lease keep-alive',
    longestBackoffMs: 1_000,
    open: (handlers, signal) => client.openKeepAlive(handlers, signal),
    onOpen: () => {
      if (recheck) for (const { id, lost: isLost } of leases.values()) if (!isLost) due.set(id, performance.now())
      recheck = false
      tick()
    },
    onMessage: answered,
    onLost: lost,
    log,
  })

  function lost(error: unknown): void {
    const refused = error instanceof ForbiddenError && error.code === 'permission-denied'
    recheck ||= !refused
    const pending = unanswered
    unanswered = []
    for (const [index, lease] of pending.entries()) {
      lease.sentAtMs = undefined
      if (leases.get(lease.id) !== lease) continue
      // A refusal ends the whole stream; it was about the oldest renewal, and the others must not suffer from it again and again.
      const culprit = index === 0 && refused
      if (culprit) log.warn({ lease: lease.id, error: describeError(error) }, 'lease renewal refused')
      due.set(
        lease.id,
        performance.now() + (culprit ? Math.min(FORBIDDEN_RETRY_MS, (lease.ttlSeconds * 1_000) / 6) : 0),
      )
    }
  }

  function answered({ lease: id, ttlSeconds }: KeepAliveMessage): void {
    link.proven()
    const index = unanswered.findIndex((lease) => lease.id === id)
    const [lease] = index === -1 ? [] : unanswered.splice(index, 1)
    if (lease?.sentAtMs === undefined) return
    const { sentAtMs } = lease
    lease.sentAtMs = undefined
    if (leases.get(id) !== lease) return
    if (ttlSeconds <= 0) {
      lease.lost = true
      log.warn({ lease: id }, 'lease lost')
      options.onLost?.(id)
      return
    }
    acknowledge(lease, ttlSeconds, sentAtMs)
  }

  function acknowledge(lease: Lease, ttlSeconds: number, sentAtMs: number): void {
    lease.ttlSeconds = ttlSeconds
    const validUntilMs = sentAtMs + ttlSeconds * 1_000
    lease.validUntilMs = validUntilMs
    due.set(lease.id, sentAtMs + ((ttlSeconds * 1_000) / 3) * (0.7 + 0.3 * Math.random()))
    options.onRenewed?.(lease.id, { kind: 'alive', validUntilMs, grantedTtlSeconds: ttlSeconds })
  }

  function tick(): void {
    const nowMs = performance.now()
    const oldestMs = unanswered[0]?.sentAtMs
    if (oldestMs !== undefined && nowMs - Math.max(oldestMs, link.heardAtMs) > SILENT_MS) {
      link.replace('lease renewals are not answered', 'silent')
    }
    const { stream } = link
    if (stream === undefined) {
      if (leases.size > 0) link.connect()
      return
    }
    for (let sent = 0; sent < RENEWALS_PER_TICK; sent++) {
      const id = due.takeDue(nowMs)
      if (id === undefined) break
      const lease = leases.get(id)
      if (lease === undefined || lease.lost || lease.sentAtMs !== undefined) continue
      lease.sentAtMs = performance.now()
      unanswered.push(lease)
      stream.write(id)
    }
  }
  const ticker = setInterval(tick, TICK_MS)

  function keep(id: LeaseId, ttlSeconds: number): Lease {
    const held = leases.get(id)
    if (held !== undefined) return held
    const lease: Lease = { id, ttlSeconds, validUntilMs: undefined, lost: false, sentAtMs: undefined }
    leases.set(id, lease)
    return lease
  }

  /** A lease that may have been granted, and that nobody will ever know of. */
  function forget(id: LeaseId): void {
    client.leaseRevoke(id, new AbortController().signal).catch((error: unknown) => {
      log.debug({ lease: id, error: describeError(error) }, 'given up lease is left to expire')
    })
  }

  return {
    add(id, ttlSeconds) {
      if (leases.has(id)) return
      keep(id, ttlSeconds)
      due.set(id, performance.now())
      tick()
    },
    remove(id) {
      leases.delete(id)
      due.delete(id)
    },
    state(id) {
      const lease = leases.get(id)
      if (lease === undefined) return { kind: 'unknown' }
      if (lease.lost) return { kind: 'lost' }
      const { validUntilMs, ttlSeconds } = lease
      if (validUntilMs === undefined || validUntilMs <= performance.now()) return { kind: 'unknown' }
      return { kind: 'alive', validUntilMs, grantedTtlSeconds: ttlSeconds }
    },
    check(id) {
      if (!leases.has(id)) return
      due.set(id, performance.now())
      tick()
    },
    async grant(ttlSeconds, signal) {
      const id = randomLeaseId()
      // Of the first attempt: that one may have been the one that etcd heard.
      const sentAtMs = performance.now()
      const backoff = createBackoff(50, 1_000)
      for (let attempt = 1; ; attempt++) {
        try {
          const granted = await client.leaseGrant(id, ttlSeconds, signal)
          acknowledge(keep(id, granted), granted, sentAtMs)
          return id
        } catch (error) {
          const transient = error instanceof UnavailableError || error instanceof TimeoutError
          if (!transient) throw error
          if (attempt === GRANT_ATTEMPTS || signal.aborted) {
            forget(id)
            throw error
          }
          await sleep(backoff.next(), signal)
        }
      }
    },
    close() {
      clearInterval(ticker)
      link.close()
    },
  }
}

/** 63 bits, so that it is a positive int64; never 0. */
function randomLeaseId(): LeaseId {
  const bits = randomBytes(8).readBigUInt64BE() >> 1n
  return (bits === 0n ? 1n : bits).toString(16)
}
