/**
 * A server announces itself: one endpoint under a lease that this process keeps alive. The lease belongs to the registration alone, so
 * revoking it is the one safe way out: it deletes exactly what is still ours, and a put of ours that is late finds no lease.
 */
import { EventEmitter } from 'node:events'
import { describeError, InvalidArgumentError, RejectedError, TimeoutError, UnavailableError } from '../errors.ts'
import type { LeaseId, Revision } from '../etcd/kv.ts'
import { createLeaseKeeper } from '../etcd/lease-keeper.ts'
import type { LeaseKeeper } from '../etcd/lease-keeper.ts'
import { createBackoff } from '../runtime/backoff.ts'
import { sleep } from '../runtime/sleep.ts'
import { connect } from './connection.ts'
import type { EtcdConnection, EtcdSource } from './connection.ts'
import type { Endpoint } from './endpoint.ts'
import { endpointKey } from './key.ts'
import { closeAtSigterm } from './sigterm.ts'
import { opsOf } from './updates.ts'

/** How an endpoint is registered. */
export interface RegisterOptions {
  /** The endpoint disappears so long after this process died or lost etcd, in seconds; 30 by default. etcd raises short ones to 2. */
  readonly ttlSeconds?: number | undefined
  /**
   * Deregister on SIGTERM; false by default. Without another listener for SIGTERM the process then ends by it, as it would have. With
   * one, which stops the server, call `close()` there instead and let clients move on before the server stops.
   */
  readonly deregisterOnSigterm?: boolean | undefined
}

/** How a registration stands. */
export type RegistrationState =
  /** Not in etcd, or not any more; it is tried again. `error`: of the last attempt. */
  | { readonly kind: 'registering'; readonly error: Error | null }
  | { readonly kind: 'registered'; readonly lease: LeaseId; readonly revision: Revision }
  /** etcd has not confirmed the lease for a whole TTL: the endpoint may have expired. It is registered again as soon as etcd answers. */
  | { readonly kind: 'unconfirmed'; readonly lease: LeaseId }
  | { readonly kind: 'closed' }

/**
 * Puts the endpoint at `endpointKey(target, endpoint.addr)` and keeps it there: while etcd is away it goes on trying, and after the lease was
 * lost it registers again. Whoever registers the same address last has the key, and what somebody deletes by hand stays away until the lease is
 * lost.
 *
 * @param signal gives up waiting for the first registration
 * @returns when the endpoint is in etcd for the first time
 * @throws ForbiddenError, RejectedError, InvalidArgumentError, UnsupportedValueError: trying again would not help
 * @throws UnavailableError code `aborted`, by the signal; `closed`, when the connection is closed
 */
export async function register(
  etcd: EtcdSource,
  target: string,
  endpoint: Endpoint,
  options: RegisterOptions = {},
  signal?: AbortSignal,
): Promise<Registration> {
  const { ttlSeconds = 30, deregisterOnSigterm = false } = options
  if (typeof target !== 'string' || target === '') throw new InvalidArgumentError('invalid target', 'etcd')
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1) {
    throw new InvalidArgumentError(`ttlSeconds must be a whole number, 1 or more, got ${ttlSeconds}`, 'etcd')
  }
  const key = endpointKey(target, endpoint.addr)
  // Says what is wrong with the value before anything is sent.
  opsOf(target, [{ op: 'add', key, endpoint }])
  const { connection, release } = connect(etcd)
  const registration = new Registration({ connection, release, target, key, endpoint, ttlSeconds })
  if (deregisterOnSigterm) {
    const forget = closeAtSigterm(registration, connection.log)
    registration.on('state', ({ kind }) => {
      if (kind === 'closed') forget()
    })
  }
  await registration.firstTime(signal)
  return registration
}

/** How long `close` asks again: etcd that elects a leader, or is restarted, is back in less. */
const REVOKE_MS = 5_000

interface Announcement {
  readonly connection: EtcdConnection
  readonly release: () => void
  readonly target: string
  readonly key: string
  readonly endpoint: Endpoint
  readonly ttlSeconds: number
}

/** An endpoint that is kept in etcd until `close`. Emits `state` with each new `RegistrationState`. */
export class Registration extends EventEmitter<{ state: [RegistrationState] }> {
  readonly key: string
  readonly #given: Announcement
  readonly #keeper: LeaseKeeper
  readonly #ending = new AbortController()
  readonly #first = Promise.withResolvers<void>()
  readonly #running: Promise<void>
  #state: RegistrationState = { kind: 'registering', error: null }
  #lease: LeaseId | undefined
  #onLost: () => void = () => undefined
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(given: Announcement) {
    super()
    this.key = given.key
    this.#given = given
    const { client, log, closed } = given.connection
    this.#keeper = createLeaseKeeper({
      client,
      onLost: () => {
        this.#onLost()
      },
      log,
    })
    closed.addEventListener('abort', () => void this.#end(), { once: true, signal: this.#ending.signal })
    this.#running = this.#run()
  }

  get state(): RegistrationState {
    return this.#state
  }

  /** @internal */
  async firstTime(signal: AbortSignal | undefined): Promise<void> {
    const giveUp = () => {
      const cause: unknown = (this.#state.kind === 'registering' ? this.#state.error : null) ?? signal?.reason
      const details = { code: 'aborted', target: this.key, cause }
      this.#first.reject(new UnavailableError(`${this.key} was not registered: ${describeError(cause)}`, details))
    }
    if (signal?.aborted === true) giveUp()
    signal?.addEventListener('abort', giveUp, { once: true })
    try {
      await this.#first.promise
    } catch (error) {
      await this.close().catch(() => undefined)
      throw error
    } finally {
      signal?.removeEventListener('abort', giveUp)
    }
  }

  /**
   * Takes the endpoint out of etcd, at once and only if it is still ours.
   *
   * @throws UnavailableError, TimeoutError when etcd does not answer for 5 s: then the endpoint expires with its lease
   */
  close(): Promise<void> {
    this.#closing ??= this.#deregister()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #deregister(): Promise<void> {
    await this.#end()
    try {
      if (this.#lease !== undefined) await this.#revoke(this.#lease)
    } finally {
      this.#given.release()
    }
  }

  async #end(): Promise<void> {
    this.#ending.abort()
    const details = { code: 'closed', target: this.key }
    this.#first.reject(new UnavailableError(`${this.key} was not registered: closed before`, details))
    this.#onLost()
    await this.#running
    this.#keeper.close()
    this.#enter({ kind: 'closed' })
  }

  /** A lost reply is cured by asking again: a lease that is gone is success. */
  async #revoke(lease: LeaseId): Promise<void> {
    const { connection, ttlSeconds } = this.#given
    const deadline = AbortSignal.timeout(REVOKE_MS)
    const backoff = createBackoff(50, 1_000)
    let failure: unknown
    while (!deadline.aborted) {
      try {
        return await connection.client.leaseRevoke(lease, deadline)
      } catch (error) {
        if (!isTransient(error)) throw error
        failure = error
        await sleep(backoff.next(), deadline)
      }
    }
    const message = `${this.key} may still be in etcd, and expires with its lease (TTL ${ttlSeconds} s): ${describeError(failure)}`
    const Class = failure instanceof TimeoutError ? TimeoutError : UnavailableError
    throw new Class(message, { code: 'not-deregistered', target: this.key, cause: failure })
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending
    const backoff = createBackoff(50, 2_000)
    while (!signal.aborted) {
      try {
        const lost = this.#untilLost()
        const { lease, revision } = await this.#announce(signal)
        this.#first.resolve()
        backoff.reset()
        this.#enter({ kind: 'registered', lease, revision })
        await this.#confirm(lease, revision, lost)
        if (!signal.aborted) this.#enter({ kind: 'registering', error: null })
      } catch (error) {
        await this.#failed(error, backoff.next())
      }
    }
  }

  /** A lease that was granted before is used again: none is left behind when puts fail. */
  async #announce(signal: AbortSignal): Promise<{ readonly lease: LeaseId; readonly revision: Revision }> {
    const { connection, target, key, endpoint, ttlSeconds } = this.#given
    this.#lease ??= await this.#keeper.grant(ttlSeconds, signal)
    const lease = this.#lease
    const success = opsOf(target, [{ op: 'add', key, endpoint, lease }])
    const { header } = await connection.client.txn({ compare: [], success, failure: [] }, signal)
    return { lease, revision: header.revision }
  }

  async #failed(error: unknown, waitMs: number): Promise<void> {
    const { signal } = this.#ending
    if (signal.aborted) return
    const leaseGone = error instanceof RejectedError && error.code === 'lease-not-found'
    if (leaseGone) this.#forgetLease()
    const reason = error instanceof Error ? error : new Error('not an Error was thrown', { cause: error })
    if (!isTransient(reason) && !leaseGone) this.#first.reject(reason)
    this.#given.connection.log.warn({ key: this.key, error: describeError(reason) }, 'endpoint can not be registered')
    this.#enter({ kind: 'registering', error: reason })
    await sleep(waitMs, signal)
  }

  #untilLost(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onLost = resolve
    return promise
  }

  /** Until the lease is lost; meanwhile says whether etcd still confirms it. */
  async #confirm(lease: LeaseId, revision: Revision, lost: Promise<void>): Promise<void> {
    const look = setInterval(
      () => {
        const alive = this.#keeper.state(lease).kind === 'alive'
        if (!alive && this.#state.kind === 'registered') this.#enter({ kind: 'unconfirmed', lease })
        if (alive && this.#state.kind === 'unconfirmed') this.#enter({ kind: 'registered', lease, revision })
      },
      Math.min(1_000, this.#given.ttlSeconds * 100),
    )
    await lost
    clearInterval(look)
    if (!this.#ending.signal.aborted) this.#forgetLease()
  }

  #forgetLease(): void {
    if (this.#lease !== undefined) this.#keeper.remove(this.#lease)
    this.#lease = undefined
  }

  #enter(state: RegistrationState): void {
    if (this.#state.kind === 'closed') return
    this.#state = state
    // What a listener throws is the application's, not a failure of this registration.
    queueMicrotask(() => this.emit('state', state))
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof TimeoutError || (error instanceof UnavailableError && error.code !== 'closed')
}
