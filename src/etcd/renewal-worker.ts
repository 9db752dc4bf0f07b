/**
 * The renewal thread's side: a lease keeper of its own, told what to do by messages. It goes on while the main thread is stuck, until the
 * blind bound: when the main thread has not said for `maxBlindSeconds` that it sees its Kubernetes, this replica may be a forgotten
 * process that keeps a dead cluster's endpoints alive, so it renews nothing more until it is told again. Nothing is revoked (S16).
 */
import type { MessagePort } from 'node:worker_threads'
import { UnavailableError } from '../errors.ts'
import type { Log } from '../runtime/log.ts'
import type { EtcdClient } from './client.ts'
import type { LeaseId } from './kv.ts'
import { createLeaseKeeper } from './lease-keeper.ts'
import type { AliveLease, LeaseKeeper } from './lease-keeper.ts'
import { plainOf, toSharedMs } from './renewal-messages.ts'
import type { RenewalReport, RenewalRequest } from './renewal-messages.ts'

export interface RenewalWorkerOptions {
  /** To the main thread's `createRenewalThread`. */
  readonly port: Pick<MessagePort, 'on' | 'postMessage'>
  readonly client: EtcdClient
  /** 0: no bound. Counts from the start as long as Kubernetes was never seen. */
  readonly maxBlindSeconds: number
  readonly log: Log
}

/** A timer can not count further. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Serves until the thread is ended from outside. */
export function serveRenewals({ port, client, maxBlindSeconds, log }: RenewalWorkerOptions): void {
  /** To be renewed, with the TTL in seconds; also while nothing is renewed because we are blind. */
  const wanted = new Map<LeaseId, number>()
  const grants = new Map<number, AbortController>()
  let seenAtMs = performance.now()
  let reports: RenewalReport[] = []
  /** `undefined` while blind. */
  let keeper: LeaseKeeper | undefined = keep()

  function keep(): LeaseKeeper {
    return createLeaseKeeper({
      client,
      onRenewed: renewed,
      onLost(id) {
        wanted.delete(id)
        report({ kind: 'lost', id })
      },
      log,
    })
  }

  function renewed(id: LeaseId, { validUntilMs, grantedTtlSeconds }: AliveLease): void {
    report({ kind: 'renewed', id, validUntilSharedMs: toSharedMs(validUntilMs), grantedTtlSeconds })
  }

  /** What happens in one turn of the event loop goes as one message. */
  function report(one: RenewalReport): void {
    if (reports.push(one) > 1) return
    setImmediate(() => {
      port.postMessage(reports)
      reports = []
    })
  }

  async function grant(number: number, ttlSeconds: number): Promise<void> {
    const givenUp = new AbortController()
    grants.set(number, givenUp)
    try {
      const id = await grantingKeeper().grant(ttlSeconds, givenUp.signal)
      wanted.set(id, ttlSeconds)
      // It may be another one by now.
      keeper?.add(id, ttlSeconds)
      report({ kind: 'granted', grant: number, id })
      const state = keeper?.state(id)
      // Again: before it was granted, the main thread did not know the ID.
      if (state?.kind === 'alive') renewed(id, state)
    } catch (error) {
      report({ kind: 'refused', grant: number, error: plainOf(error) })
    } finally {
      grants.delete(number)
    }
  }

  function grantingKeeper(): LeaseKeeper {
    if (keeper !== undefined) return keeper
    const message = 'no lease is granted: Kubernetes was not seen for --max-blind-seconds'
    throw new UnavailableError(message, { code: 'blind', target: 'etcd' })
  }

  function seen(): void {
    seenAtMs = performance.now()
    report({ kind: 'at-work' })
    if (keeper !== undefined) return
    log.warn({ leases: wanted.size }, 'Kubernetes is seen again: leases are renewed again')
    // Renews each of them at once, and so finds those that are lost.
    keeper = keep()
    for (const [id, ttlSeconds] of wanted) keeper.add(id, ttlSeconds)
    watchBlindness()
  }

  function watchBlindness(): void {
    if (maxBlindSeconds === 0) return
    const leftMs = seenAtMs + maxBlindSeconds * 1_000 - performance.now()
    if (leftMs > 0) {
      setTimeout(watchBlindness, Math.min(Math.ceil(leftMs), LONGEST_TIMER_MS))
      return
    }
    keeper?.close()
    keeper = undefined
    log.error(
      { maxBlindSeconds, leases: wanted.size },
      'Kubernetes was not seen for --max-blind-seconds: this replica renews no lease any more, and endpoints that no other replica ' +
        'renews will expire; reconnect it to the API server, or restart it if it hangs',
    )
  }

  function serve(request: RenewalRequest): void {
    switch (request.kind) {
      case 'add':
        wanted.set(request.id, request.ttlSeconds)
        return keeper?.add(request.id, request.ttlSeconds)
      case 'remove':
        wanted.delete(request.id)
        return keeper?.remove(request.id)
      case 'check':
        return keeper?.check(request.id)
      case 'grant':
        return void grant(request.grant, request.ttlSeconds)
      case 'give-up':
        return grants.get(request.grant)?.abort()
      case 'seen':
        return seen()
    }
  }

  watchBlindness()
  port.on('message', serve)
}
