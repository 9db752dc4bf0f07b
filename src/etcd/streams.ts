/**
 * What flows on etcd's two long-lived streams, as plain data: watch and lease keep-alive. `client.ts` opens them; `watch.ts` and
 * `lease-keeper.ts` own what they mean. A stream ends exactly once and is never repaired: its owner opens the next one.
 */
import type { Header, KeyRange, KvEvent, LeaseId, Revision } from './kv.ts'

export type WatchRequest =
  | { readonly kind: 'create'; readonly id: number; readonly range: KeyRange; readonly startRevision: Revision }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'progress' }

/** One etcdserverpb.WatchResponse. */
export interface WatchMessage {
  readonly header: Header
  /** −1: a refused create (they are answered in the order of the requests), or progress of the whole stream. */
  readonly id: number
  readonly created: boolean
  readonly canceled: boolean
  /** 0: not compacted. */
  readonly compactRevision: Revision
  readonly cancelReason: string
  /** More of the same revisions follows in the next message of this watch. */
  readonly fragment: boolean
  readonly events: readonly KvEvent[]
}

export interface KeepAliveMessage {
  readonly lease: LeaseId
  /** 0 or less: the lease does not exist (any more). */
  readonly ttlSeconds: number
}

export interface Stream<Request> {
  write(request: Request): void
  /** Ends it from our side; `onEnd` is not called. */
  close(): void
  /**
   * `close`, and what it was built on is not to be used again: `silent` = the connection does not answer, `token` = the server did not
   * accept our authentication token.
   */
  distrust(reason: 'silent' | 'token'): void
}

export interface StreamHandlers<Message> {
  onMessage(message: Message): void
  /** The stream is gone, whatever ended it; one of `errors.ts`. Called once, never after `close` or `distrust`. */
  onEnd(error: Error): void
}
