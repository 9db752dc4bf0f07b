/**
 * Reads whole ranges, many at once: loads that are waiting together share one Txn of ranges, so thousands of targets cost dozens of round
 * trips. What does not fit is paged at the revision of that Txn. Every result is one moment of the store.
 */
import { ForbiddenError, InvariantError, RejectedError } from '../errors.ts'
import { unlessAborted } from './aborted.ts'
import type { Entry, Header, KeyRange, Kv, Op } from './kv.ts'

/** Ranges in one Txn: half of what etcd allows by default. */
const RANGES_PER_TXN = 64
/** Entries of one range in that Txn; 64 × 500 endpoints are about 10 MB. */
const ENTRIES_IN_TXN = 500
const ENTRIES_PER_PAGE = 5_000

export interface Loaded {
  readonly header: Header
  /** In key order. */
  readonly entries: readonly Entry[]
}

export interface Loader {
  /**
   * The range as it was at `header.revision`, which is not older than any commit that was answered before the call.
   * @throws UnavailableError `aborted`, by the signal
   * @throws RejectedError `compacted` if the store was compacted while a long range was paged: load again
   */
  load(range: KeyRange, signal: AbortSignal): Promise<Loaded>
}

interface Request {
  readonly range: KeyRange
  readonly signal: AbortSignal
  readonly resolve: (loaded: Loaded) => void
  readonly reject: (error: unknown) => void
}

/** One range, without waiting for others; `signal` ends it at once. Otherwise as `Loader.load`. */
export async function readRange(kv: Kv, range: KeyRange, signal: AbortSignal): Promise<Loaded> {
  const { header, entries, more } = await kv.range({ ...range, limit: ENTRIES_PER_PAGE }, signal)
  return { header, entries: more ? await readOn(kv, { range, signal }, header, entries) : entries }
}

async function readOn(
  kv: Kv,
  { range, signal }: Pick<Request, 'range' | 'signal'>,
  header: Header,
  first: readonly Entry[],
): Promise<readonly Entry[]> {
  const entries = [...first]
  for (;;) {
    // The smallest key after the last one read.
    const key = `${entries.at(-1)?.key ?? ''}\0`
    const page = await kv.range({ ...range, key, revision: header.revision, limit: ENTRIES_PER_PAGE }, signal)
    for (const entry of page.entries) entries.push(entry)
    if (!page.more) return entries
  }
}

export function createLoader(kv: Kv): Loader {
  const waiting: Request[] = []
  let running = false

  async function run(): Promise<void> {
    if (running) return
    running = true
    // Whoever asks in this turn of the event loop rides along.
    await new Promise(setImmediate)
    for (;;) {
      const batch = waiting.splice(0, RANGES_PER_TXN)
      if (batch.length === 0) break
      await loadBatch(batch)
    }
    running = false
  }

  async function loadBatch(batch: readonly Request[]): Promise<void> {
    const success = batch.map(({ range }): Op => ({ kind: 'range', ...range, limit: ENTRIES_IN_TXN }))
    try {
      // Nobody's signal: giving up one load must not fail the others. The client's deadline bounds it.
      const { header, results } = await kv.txn({ compare: [], success, failure: [] }, new AbortController().signal)
      await Promise.all(
        batch.map(async (request, index) => {
          const result = results[index]
          try {
            if (result?.kind !== 'range') throw new InvariantError('etcd answered a range with something else')
            const entries = result.more ? await readOn(kv, request, header, result.entries) : result.entries
            request.resolve({ header, entries })
          } catch (error) {
            request.reject(error)
          }
        }),
      )
    } catch (error) {
      // One refused range refuses the Txn: find out whose it is.
      const refused = error instanceof ForbiddenError || error instanceof RejectedError
      if (refused && batch.length > 1) for (const request of batch) await loadBatch([request])
      else for (const request of batch) request.reject(error)
    }
  }

  return {
    async load(range, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<Loaded>()
      waiting.push({ range, signal, resolve, reject })
      void run()
      return unlessAborted(promise, signal, `etcd range ${range.key}`)
    },
  }
}
