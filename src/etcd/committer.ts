/**
 * Group commit: one RPC in flight, and what arrives meanwhile rides in the next, so low load waits for nothing and high load shares round
 * trips. The root Txn holds the leader's fence; each service is a child Txn with its own guard, so one that conflicts leaves the others
 * committed (S1, S2, S14). After an unknown outcome nothing is planned again before the leader key was bumped: reading back alone is no
 * barrier, the request may still be on its way.
 */
import type { Log } from '../runtime/log.ts'
import {
  ForbiddenError,
  InvariantError,
  RejectedError,
  TimeoutError,
  UnavailableError,
  describeError,
} from '../errors.ts'
import type { Leadership } from './election.ts'
import type { Kv, OpResult, Revision, Txn, TxnResult } from './kv.ts'
import { depthWidth, nest } from './nest.ts'

/** One service's change. */
export interface Child {
  /** For logs. */
  readonly name: string
  /** Guard and ops, flat: nesting is done here. */
  readonly txn: Txn
  /** Writing ops. */
  readonly opCount: number
  /** About what `txn` takes on the wire. */
  readonly byteSize: number
}

export type CommitOutcome =
  | { readonly kind: 'committed'; readonly revision: Revision }
  /**
   * Not applied, or nobody knows: read and plan again, but only when the mirrors are at or past `revision`. `results`: the child's else
   * branch; `null` when it was not evaluated.
   */
  | { readonly kind: 'conflict'; readonly revision: Revision; readonly results: readonly OpResult[] | null }
  /** We no longer lead. */
  | { readonly kind: 'fenced' }

export interface Committer {
  /**
   * @throws RejectedError, ForbiddenError this child alone is refused by etcd
   * @throws UnavailableError definitely not applied; TimeoutError `aborted` when the signal was aborted after it was sent
   */
  commit(child: Child, signal: AbortSignal): Promise<CommitOutcome>
}

export interface CommitterOptions {
  readonly kv: Kv
  readonly leadership: Leadership
  /** etcd's `--max-txn-ops`. */
  readonly maxTxnOps?: number | undefined
  readonly log: Log
}

interface Waiting {
  readonly child: Child
  readonly resolve: (outcome: CommitOutcome) => void
  readonly reject: (error: unknown) => void
}

/** etcd takes 1.5 MiB. */
const MAX_BYTES = 1_200_000
/** A larger child would make the others wait, and suffer from its size. */
const ALONE_OPS = 1_000
const MIN_TXN_OPS = 16

export function createCommitter(options: CommitterOptions): Committer {
  const { kv, leadership, log } = options
  const queue: Waiting[] = []
  let maxTxnOps = options.maxTxnOps ?? 128
  let running = false

  /** A tree of this width holds 4,096 ops in four levels at most, which leaves half of what etcd allows to the root. */
  const shaped = ({ txn }: Child): Txn => ({
    ...txn,
    success: nest(txn.success, Math.max(2, Math.floor(maxTxnOps / 8))),
  })

  async function run(): Promise<void> {
    if (running) return
    running = true
    for (let group = take(); group.length > 0; group = take()) await settle(group)
    running = false
  }

  /** The longest head of the queue that fits into one request. */
  function take(): readonly Waiting[] {
    const group: Waiting[] = []
    let bytes = 0
    let deepest = 0
    for (const waiting of queue) {
      bytes += waiting.child.byteSize
      deepest = Math.max(deepest, depthWidth(shaped(waiting.child)))
      const rootWidth = Math.max(group.length + 1, leadership.fence.length)
      const alone = waiting.child.opCount > ALONE_OPS
      if (group.length > 0 && (alone || bytes > MAX_BYTES || rootWidth + deepest > maxTxnOps)) break
      group.push(waiting)
      if (alone) break
    }
    queue.splice(0, group.length)
    return group
  }

  async function settle(group: readonly Waiting[]): Promise<void> {
    const answer = (outcome: CommitOutcome) => {
      for (const { resolve } of group) resolve(outcome)
    }
    const fail = (error: unknown) => {
      for (const { reject } of group) reject(error)
    }
    if (leadership.lost.aborted) return answer({ kind: 'fenced' })
    let result: TxnResult
    try {
      result = await kv.txn(
        {
          compare: leadership.fence,
          success: group.map(({ child }) => ({ kind: 'txn', txn: shaped(child) })),
          failure: leadership.witness,
        },
        new AbortController().signal,
      )
    } catch (error) {
      if (error instanceof TimeoutError) return settleUnknown(group, error)
      if (!(error instanceof RejectedError || error instanceof ForbiddenError)) return fail(error)
      if (error.code === 'too-many-operations' && maxTxnOps > MIN_TXN_OPS) {
        maxTxnOps = Math.floor(maxTxnOps / 2)
        log.warn({ maxTxnOps }, 'etcd allows fewer operations in a txn: halved')
        queue.unshift(...group)
        return
      }
      // Nobody's fault and everybody's trouble; or the culprit is known.
      if (error.code === 'no-space' || group.length === 1) return fail(error)
      log.debug({ error: describeError(error), children: group.length }, 'group refused: sending each child alone')
      for (const waiting of group) await settle([waiting])
      return
    }
    if (!result.succeeded) return settleFenced(group, result)
    for (const [index, { resolve, reject }] of group.entries()) {
      const child = result.results[index]
      const { revision } = result.header
      if (child?.kind !== 'txn') reject(new InvariantError('etcd answered a txn with something else'))
      else if (child.result.succeeded) resolve({ kind: 'committed', revision })
      else resolve({ kind: 'conflict', revision, results: child.result.results })
    }
  }

  async function settleUnknown(group: readonly Waiting[], error: TimeoutError): Promise<void> {
    log.warn(
      { error: describeError(error), services: names(group) },
      'outcome of a txn is unknown: bumping the leader key',
    )
    const revision = await leadership.bump(leadership.lost)
    for (const { resolve } of group) {
      resolve(revision === null ? { kind: 'fenced' } : { kind: 'conflict', revision, results: null })
    }
  }

  /** The fence failed with our nonce still in place: the token moved. That is a conflict, not a deposition. */
  async function settleFenced(group: readonly Waiting[], { results }: TxnResult): Promise<void> {
    const revision = leadership.holds(results) ? await leadership.bump(leadership.lost) : null
    if (revision === null) {
      log.warn({ services: names(group) }, 'txn fenced: another leads')
      leadership.abandon('a txn was fenced')
    }
    for (const { resolve } of group) {
      resolve(revision === null ? { kind: 'fenced' } : { kind: 'conflict', revision, results: null })
    }
  }

  return {
    async commit(child, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<CommitOutcome>()
      const waiting: Waiting = { child, resolve, reject }
      const giveUp = () => {
        const at = queue.indexOf(waiting)
        const details = { code: 'aborted', target: child.name, cause: signal.reason }
        if (at === -1) return reject(new TimeoutError(`commit of ${child.name} given up on its way`, details))
        queue.splice(at, 1)
        reject(new UnavailableError(`commit of ${child.name} given up before it was sent`, details))
      }
      queue.push(waiting)
      if (signal.aborted) giveUp()
      signal.addEventListener('abort', giveUp, { once: true })
      void run()
      try {
        return await promise
      } finally {
        signal.removeEventListener('abort', giveUp)
      }
    },
  }
}

function names(group: readonly Waiting[]): readonly string[] {
  return group.map(({ child }) => child.name)
}
