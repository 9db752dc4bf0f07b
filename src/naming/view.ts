/**
 * The endpoints of one target as every reader of this library sees them: `list`, `watch` and the resolver agree, because a value that is
 * no endpoint is none for all of them (Go's resolver keeps the old address of an overwritten key, its `List` drops it). Pure.
 */
import type { Entry, Revision } from '../etcd/kv.ts'
import { decodeEndpoint } from './endpoint.ts'
import type { DecodedEndpoint } from './endpoint.ts'
import { compareUtf8 } from './utf8.ts'

/** One change of the set (endpoints.Update of Go, but that a delete has no endpoint). */
export type WatchUpdate =
  | { readonly op: 'add'; readonly key: string; readonly endpoint: DecodedEndpoint }
  | { readonly op: 'delete'; readonly key: string }

/** What changed under a target, in whole revisions. */
export interface WatchItem {
  /** The last one that it tells of. It goes back when etcd was restored from a backup. */
  readonly revision: Revision
  readonly updates: readonly WatchUpdate[]
}

/** A key whose value is no endpoint, and why. */
export interface Skipped {
  readonly key: string
  readonly error: string
}

export class EndpointView {
  readonly #endpoints = new Map<string, { readonly value: Uint8Array; readonly endpoint: DecodedEndpoint }>()

  get size(): number {
    return this.#endpoints.size
  }

  endpoints(): Iterable<DecodedEndpoint> {
    return this.#endpoints.values().map(({ endpoint }) => endpoint)
  }

  /** The whole set as adds, in key order. */
  snapshot(): readonly WatchUpdate[] {
    return [...this.#endpoints]
      .sort(([a], [b]) => compareUtf8(a, b))
      .map(([key, { endpoint }]) => ({ op: 'add', key, endpoint }))
  }

  /**
   * Takes over the keys that changed. A key that was written again with the same bytes is no change.
   *
   * @param entries what is under the target now
   */
  apply(
    entries: ReadonlyMap<string, Entry>,
    changedKeys: Iterable<string>,
  ): { readonly updates: readonly WatchUpdate[]; readonly skipped: readonly Skipped[] } {
    const updates: WatchUpdate[] = []
    const skipped: Skipped[] = []
    for (const key of changedKeys) {
      const known = this.#endpoints.get(key)
      const value = entries.get(key)?.value
      if (known !== undefined && value !== undefined && Buffer.compare(known.value, value) === 0) continue
      const decoded = value === undefined ? undefined : decodeEndpoint(value)
      if (value !== undefined && decoded?.ok === true) {
        this.#endpoints.set(key, { value, endpoint: decoded.endpoint })
        updates.push({ op: 'add', key, endpoint: decoded.endpoint })
        continue
      }
      if (decoded?.ok === false) skipped.push({ key, error: decoded.error })
      if (this.#endpoints.delete(key)) updates.push({ op: 'delete', key })
    }
    return { updates, skipped }
  }
}
