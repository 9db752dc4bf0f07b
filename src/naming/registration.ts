/**
 * A server announces itself: one endpoint under a lease that this process keeps alive. The lease belongs to the registration alone, so
 * revoking it is the one safe way out: it deletes exactly what is still ours, and a put of ours that is late finds no lease.
 */
import { EventEmitter } from 'node:events'
import { describeError, errorOf, RejectedError, TimeoutError, UnavailableError } from '../errors.ts'
import type { LeaseId, Op, Revision, Txn } from '../etcd/kv.ts'
import { createLeaseKeeper } from '../etcd/lease-keeper.ts'
import type { LeaseKeeper } from '../etcd/lease-keeper.ts'
import { createBackoff } from '../runtime/backoff.ts'
import { sleep } from '../runtime/sleep.ts'
import type { EtcdConnection } from './connection.ts'
import { closeAtSigterm } from './sigterm.ts'

/** How a registration stands. */
export type RegistrationState =
  /** Not in etcd, or not any more; it is tried again. `error`: of the last attempt. */
  | { readonly kind: 'registering'; readonly error: Error | null }
  | { readonly kind: 'registered'; readonly lease: LeaseId; readonly revision: Revision }
  /** etcd has not confirmed the lease for a whole TTL: the endpoint may have expired. It is registered again as soon as etcd answers. */
  | { readonly kind: 'unconfirmed'; readonly lease: LeaseId }
  | { readonly kind: 'closed' }

/** How long `close` asks again: etcd that elects a leader, or is restarted, is back in less. */
const REVOKE_MS = 5_000

/** @internal */
export interface Announcement {
  readonly connection: EtcdConnection
  readonly release: () => void
  readonly key: string
  readonly value: string
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
  /** Of our last put. */
  #revision: Revision | undefined
  #onLost: () => void = () => undefined
  #forgetSigterm: () => void = () => undefined
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
  closeAtSigterm(): void {
    this.#forgetSigterm = closeAtSigterm(this, this.#given.connection.log)
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
      this.#forgetSigterm()
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
    const { connection, key, ttlSeconds } = this.#given
    this.#lease ??= await this.#keeper.grant(ttlSeconds, signal)
    const lease = this.#lease
    const { header, succeeded, results } = await connection.client.txn(this.#announcement(lease), signal)
    const [found] = results
    const entry = found?.kind === 'range' ? found.entries[0] : undefined
    if (!succeeded && entry?.lease !== lease) {
      const message = `${key} was registered by another process meanwhile`
      throw new RejectedError(message, { code: 'address-taken', target: key })
    }
    // Not succeeded, but ours: an earlier put whose reply was lost.
    this.#revision = succeeded ? header.revision : (entry?.modRevision ?? header.revision)
    return { lease, revision: this.#revision }
  }

  /**
   * The first time whoever comes last has the address: a server that was restarted. Later only if nobody else took it: this process may have
   * been stopped for longer than its TTL, and another be there in its place.
   */
  #announcement(lease: LeaseId): Txn {
    const { key, value } = this.#given
    const put: Op = { kind: 'put', key, value, lease }
    if (this.#revision === undefined) return { compare: [], success: [put], failure: [] }
    return {
      compare: [{ kind: 'createRevision', key, result: '=', revision: 0 }],
      success: [put],
      failure: [{ kind: 'range', key }],
    }
  }

  async #failed(error: unknown, waitMs: number): Promise<void> {
    const { signal } = this.#ending
    if (signal.aborted) return
    const leaseGone = error instanceof RejectedError && error.code === 'lease-not-found'
    if (leaseGone) this.#forgetLease()
    const reason = errorOf(error)
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
