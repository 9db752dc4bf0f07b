/**
 * The leases of the services, renewed by a thread with its own event loop and its own connection (docs/adr/0007): a main thread that is
 * stuck costs leadership, but no endpoint. Here is the main thread's side, with the interface of the keeper that does the work over there
 * (`renewal-worker.ts`): what is known of a lease is what the thread has reported, so it may be older than the truth, never better (S16,
 * L6). A thread that ends or hangs is a bug, and said loudly: nothing may stop renewing in silence.
 */
import { Worker } from 'node:worker_threads'
import { InvariantError, UnavailableError } from '../errors.ts'
import type { LeaseId } from './kv.ts'
import type { LeaseKeeper, LeaseState } from './lease-keeper.ts'
import { errorFrom, fromSharedMs } from './renewal-messages.ts'
import type { RenewalReport, RenewalRequest } from './renewal-messages.ts'

export interface RenewalThread extends LeaseKeeper {
  /** This replica has seen its own Kubernetes just now. Cheap: told to the thread once a second at most. */
  seen(): void
}

export interface RenewalThreadOptions {
  /** What the thread runs: it has to call `serveRenewals` on its `parentPort`. */
  readonly entry: URL
  /** For the entry, as its `workerData`: nothing but plain data. */
  readonly settings: object
  /** Called once for a lease, when etcd says that it does not exist. */
  readonly onLost: (id: LeaseId) => void
  /** Called once: the thread has ended or hangs, and nothing is renewed any more. The process has to end. */
  readonly onFailed: (error: InvariantError) => void
}

const SEEN_INTERVAL_MS = 1_000
/** The main thread had as many turns, so it is not the machine that is slow. */
const MAX_UNANSWERED = 30

const UNKNOWN: LeaseState = { kind: 'unknown' }
const LOST: LeaseState = { kind: 'lost' }

/** The thread runs until `close`, and keeps the process alive until then. */
export function createRenewalThread({ entry, settings, onLost, onFailed }: RenewalThreadOptions): RenewalThread {
  const worker = new Worker(entry, { name: 'lease-renewal', workerData: settings })
  const states = new Map<LeaseId, LeaseState>()
  const grants = new Map<number, PromiseWithResolvers<LeaseId>>()
  let lastGrant = 0
  let seenAtMs = -Infinity
  let unanswered = 0
  let ended = false

  worker.on('message', (reports: readonly RenewalReport[]) => {
    for (const report of reports) note(report)
  })
  worker.once('error', (cause) => {
    fail('the thread that renews leases failed', cause)
  })
  worker.once('exit', (code) => {
    fail(`the thread that renews leases ended with code ${code}`)
  })

  function note(report: RenewalReport): void {
    switch (report.kind) {
      case 'renewed': {
        const { id, validUntilSharedMs, grantedTtlSeconds } = report
        // Removed meanwhile, or lost: that is for ever.
        if (!states.has(id) || states.get(id) === LOST) return
        states.set(id, { kind: 'alive', validUntilMs: fromSharedMs(validUntilSharedMs), grantedTtlSeconds })
        return
      }
      case 'lost':
        if (!states.has(report.id) || states.get(report.id) === LOST) return
        states.set(report.id, LOST)
        return onLost(report.id)
      case 'granted':
        states.set(report.id, UNKNOWN)
        return grants.get(report.grant)?.resolve(report.id)
      case 'refused':
        return grants.get(report.grant)?.reject(errorFrom(report.error))
      case 'at-work':
        unanswered = 0
    }
  }

  function post(request: RenewalRequest): void {
    worker.postMessage(request)
  }

  function end(): void {
    ended = true
    // Nothing that it does must be finished: what it does not renew any more expires by itself.
    void worker.terminate()
    for (const { reject } of grants.values()) reject(closedError())
  }

  function fail(message: string, cause?: unknown): void {
    if (ended) return
    end()
    onFailed(new InvariantError(message, cause))
  }

  return {
    add(id, ttlSeconds) {
      if (states.has(id)) return
      states.set(id, UNKNOWN)
      post({ kind: 'add', id, ttlSeconds })
    },
    remove(id) {
      states.delete(id)
      post({ kind: 'remove', id })
    },
    state(id) {
      const state = states.get(id) ?? UNKNOWN
      return state.kind === 'alive' && state.validUntilMs <= performance.now() ? UNKNOWN : state
    },
    check(id) {
      if (states.has(id)) post({ kind: 'check', id })
    },
    async grant(ttlSeconds, signal) {
      if (ended) throw closedError()
      const grant = ++lastGrant
      const answer = Promise.withResolvers<LeaseId>()
      const giveUp = (): void => post({ kind: 'give-up', grant })
      grants.set(grant, answer)
      post({ kind: 'grant', grant, ttlSeconds })
      if (signal.aborted) giveUp()
      else signal.addEventListener('abort', giveUp, { once: true })
      try {
        return await answer.promise
      } finally {
        signal.removeEventListener('abort', giveUp)
        grants.delete(grant)
      }
    },
    seen() {
      const nowMs = performance.now()
      if (ended || nowMs - seenAtMs < SEEN_INTERVAL_MS) return
      seenAtMs = nowMs
      if (unanswered++ >= MAX_UNANSWERED) return fail('the thread that renews leases does not answer')
      post({ kind: 'seen' })
    },
    close() {
      if (!ended) end()
    },
  }
}

function closedError(): UnavailableError {
  return new UnavailableError('leases are not renewed any more: closed', { code: 'closed', target: 'etcd' })
}
