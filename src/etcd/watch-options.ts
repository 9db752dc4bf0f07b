/** What a watch is asked for, and every way in which it can go on or end. `watch.ts` keeps it. */
import type { ForbiddenError, UnavailableError } from '../errors.ts'
import type { KeyRange, KvEvent, Revision } from './kv.ts'

export interface WatchOptions {
  readonly range: KeyRange
  /** The first revision that is wanted: one past the read that this watch continues. */
  readonly startRevision: Revision
  /** One or more whole revisions, in order; `revision` is the last one's. */
  readonly onEvents: (events: readonly KvEvent[], revision: Revision) => void
  /** etcd no longer has all events: read again. The watch is over. */
  readonly onCompacted: (compactRevision: Revision) => void
  /** Another cluster answers, or the store went back in time. The watch is over. */
  readonly onStoreChanged: () => void
  /**
   * Nothing was heard for so long that etcd may have been restored meanwhile, and be past our revision again: read again. The watch is over.
   * Without this handler it goes on where it was.
   */
  readonly onOutage?: (() => void) | undefined
  /** Refused by the server; the watch goes on trying, slowly. A broken connection is not reported. */
  readonly onInterrupted?: ((error: ForbiddenError | UnavailableError) => void) | undefined
  /** No longer refused; it goes on where it was. */
  readonly onResumed?: (() => void) | undefined
  /** Everything up to this revision was delivered although no event says so. */
  readonly onProgress?: ((revision: Revision) => void) | undefined
}
