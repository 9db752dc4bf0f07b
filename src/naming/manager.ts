/**
 * `EndpointManager`: what `endpoints.Manager` of go.etcd.io/etcd/client/v3/naming/endpoints is for Go. A thin shell: the Txn is made by
 * `updates.ts`, what is under the target is kept by `target-watches.ts`.
 */
import { ForbiddenError, InvalidArgumentError, RejectedError } from '../errors.ts'
import type { Revision } from '../etcd/kv.ts'
import { readRange } from '../etcd/loader.ts'
import type { Loaded } from '../etcd/loader.ts'
import { connect } from './connection.ts'
import type { EtcdConnection, EtcdSource } from './connection.ts'
import { decodeEndpoint } from './endpoint.ts'
import type { DecodedEndpoint, Endpoint } from './endpoint.ts'
import { targetRange } from './key.ts'
import { opsOf, previousOf } from './updates.ts'
import type { AddOptions, DeleteOptions, Update } from './updates.ts'
import type { WatchItem } from './view.ts'
import { closedError } from './target-watches.ts'
import { createWatchQueue } from './watch-queue.ts'

/** What etcd answered to an update. */
export interface UpdateResult {
  /** Of the Txn: who reads at this revision sees all of it. */
  readonly revision: Revision
  /** By key, for updates with `prevValue`: the endpoint that was there before. Absent: there was none. */
  readonly previous: ReadonlyMap<string, DecodedEndpoint>
}

const LIST_ATTEMPTS = 3

/**
 * The endpoints of one target: reads, changes and watches them. Every method throws the classes of `errors.ts`:
 * UnavailableError (etcd is away; a write was not applied), TimeoutError (no answer; a write may have been applied), ForbiddenError
 * (credentials, permission), RejectedError (etcd refused the request; `code` says why), InvalidArgumentError (nothing was sent).
 */
export class EndpointManager {
  /** What clients dial after `etcd:///`. Its endpoints are the keys under `target + "/"`. */
  readonly target: string
  readonly #connection: EtcdConnection
  readonly #release: () => void

  /** @throws InvalidArgumentError `invalid target` for an empty one, as Go's NewManager */
  constructor(etcd: EtcdSource, target: string) {
    if (typeof target !== 'string' || target === '') throw new InvalidArgumentError('invalid target', 'etcd')
    this.target = target
    const { connection, release } = connect(etcd)
    this.#connection = connection
    this.#release = release
  }

  /**
   * Applies all updates in one transaction, so that every client sees all of them at once. They are checked in order and the first wrong one
   * is thrown before anything is sent; of several for one key the last counts.
   *
   * @throws InvalidArgumentError a key that is not under `target + "/"`, an unknown `op`, a malformed lease
   * @throws UnsupportedValueError metadata that has no JSON form (NaN, a function)
   * @throws RejectedError e.g. code `lease-not-found`, `request-too-large`, `no-space`
   */
  async update(updates: readonly Update[], signal: AbortSignal = neverAborted()): Promise<UpdateResult> {
    const success = opsOf(this.target, updates)
    const { header, results } = await this.#connection.client.txn({ compare: [], success, failure: [] }, signal)
    return { revision: header.revision, previous: previousOf(results) }
  }

  /** Adds or replaces one endpoint: `update` with one add. */
  addEndpoint(key: string, endpoint: Endpoint, options: AddOptions = {}, signal?: AbortSignal): Promise<UpdateResult> {
    return this.update([{ ...options, op: 'add', key, endpoint }], signal)
  }

  /** Deletes one endpoint; it is no error if there was none. */
  deleteEndpoint(key: string, options: DeleteOptions = {}, signal?: AbortSignal): Promise<UpdateResult> {
    return this.update([{ ...options, op: 'delete', key }], signal)
  }

  /** The endpoints by full key, in key order, at one moment. A value that is no endpoint is skipped, with a warning in the log. */
  async list(signal: AbortSignal = neverAborted()): Promise<ReadonlyMap<string, DecodedEndpoint>> {
    const endpoints = new Map<string, DecodedEndpoint>()
    for (const { key, value } of (await this.#load(signal)).entries) {
      const decoded = decodeEndpoint(value)
      if (decoded.ok) endpoints.set(key, decoded.endpoint)
      else this.#connection.log.warn({ key, error: decoded.error }, 'not an endpoint: skipped')
    }
    return endpoints
  }

  /** A long range is read in pages of one revision, which may be compacted meanwhile: then the next attempt reads a newer one. */
  async #load(signal: AbortSignal): Promise<Loaded> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await readRange(this.#connection.client, targetRange(this.target), signal)
      } catch (error) {
        const compacted = error instanceof RejectedError && error.code === 'compacted'
        if (!compacted || attempt === LIST_ATTEMPTS) throw error
      }
    }
  }

  /**
   * First the whole set as adds in key order, perhaps none; then every change. It begins with the first `next()` and ends with `break`, the
   * signal or `close`, without an error.
   *
   * It goes on through lost connections, compaction, and an etcd that was restored or replaced: then the item holds what differs. It throws
   * when the first read fails, and later only ForbiddenError `permission-denied`. What is not taken in time is merged into fewer items.
   */
  watch(signal: AbortSignal = neverAborted()): AsyncGenerator<WatchItem, void, undefined> {
    const ending = new AbortController()
    const items = this.#items(AbortSignal.any([signal, this.#connection.closed, ending.signal]))
    const finish = items.return.bind(items)
    // A generator would first wait for the item that somebody is waiting for, perhaps for ever.
    items.return = (value) => {
      ending.abort()
      return finish(value)
    }
    return items
  }

  async *#items(signal: AbortSignal): AsyncGenerator<WatchItem, void, undefined> {
    if (this.#connection.closed.aborted) throw closedError()
    const queue = createWatchQueue()
    let started = false
    const stop = this.#connection.targets.follow(this.target, {
      isFresh: true,
      onChange(updates, revision) {
        started = true
        queue.push({ revision, updates })
      },
      onProblem(problem) {
        const isDenied = problem instanceof ForbiddenError && problem.code === 'permission-denied'
        if (!started || isDenied) queue.fail(problem)
      },
    })
    try {
      for (;;) {
        const item = await queue.take(signal)
        if (item === undefined) return
        yield item
      }
    } finally {
      stop()
    }
  }

  /** Closes the connection if it was made for this manager. */
  close(): void {
    this.#release()
  }
}

function neverAborted(): AbortSignal {
  return new AbortController().signal
}
