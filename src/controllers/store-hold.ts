/**
 * The hold on a store that is not the one we knew: another etcd cluster answered, or its revision went back. Keeps: S15 (nobody leads, so
 * nothing is written or removed, until two reads in a row agree on which store this is and it belongs to our cluster).
 */
import type { Logger } from 'pino'
import { ConfigError, describeError } from '../errors.ts'
import { ensureIdentity } from '../etcd/identity.ts'
import type { Header, Kv } from '../etcd/kv.ts'
import { createBackoff } from '../runtime/backoff.ts'
import { sleep } from '../runtime/sleep.ts'

export interface StoreHold {
  /** Why nothing is written, in words for people; `null` when nothing is wrong. */
  readonly reason: string | null
  /** Another store answers than before, or the same at an earlier time. */
  changed(): void
  /** Returns when the store is one, and ours; before each campaign. @throws UnavailableError and other faults of the server */
  settle(signal: AbortSignal): Promise<void>
}

export interface StoreHoldDeps {
  readonly kv: Kv
  readonly statePrefix: string
  /** The cluster that the state prefix belongs to. */
  readonly clusterUid: string
  readonly log: Logger
}

/** Longer than a load balancer takes to come back from the wrong server, short beside any lease. */
const BETWEEN_READS_MS = 1_000

export function createStoreHold({ kv, statePrefix, clusterUid, log }: StoreHoldDeps): StoreHold {
  let reason: string | null = null
  let changes = 0

  async function read(signal: AbortSignal): Promise<Header> {
    const { header } = await kv.range({ key: `${statePrefix}identity`, limit: 1 }, signal)
    return header
  }

  async function agrees(signal: AbortSignal): Promise<boolean> {
    const before = changes
    const first = await read(signal)
    await sleep(BETWEEN_READS_MS, signal)
    const second = await read(signal)
    return before === changes && first.clusterId === second.clusterId && first.revision <= second.revision
  }

  /** Again before each campaign: a store that was wiped has forgotten whose it is, and the fence compares that. */
  async function untilOurs(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(1_000, 10_000)
    for (;;) {
      try {
        await ensureIdentity(kv, statePrefix, clusterUid, signal)
        return
      } catch (error) {
        // At the start this ends the process. Later the leases of a running replica are worth more: it waits for its own store.
        if (!(error instanceof ConfigError)) throw error
        reason = describeError(error)
        log.error({ reason }, 'the store belongs to another cluster: nothing is written')
        await sleep(backoff.next(), signal)
      }
    }
  }

  return {
    get reason() {
      return reason
    },
    changed() {
      changes += 1
      if (reason !== null) return
      reason = 'etcd was replaced or restored: nothing is written until two reads agree'
      log.error('another etcd answers, or an earlier state of it: nothing is written until two reads agree')
    },
    async settle(signal) {
      await untilOurs(signal)
      while (reason !== null && !signal.aborted) {
        if (!(await agrees(signal))) continue
        // The second read may have been of a store that was wiped since the identity was looked at.
        await untilOurs(signal)
        reason = null
        log.warn('etcd is settled: what is there is compared with what is wanted, removals are paid from the budget')
      }
    },
  }
}
