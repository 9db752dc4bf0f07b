/**
 * The status writer: beside the data path, it brings `.status` of GrpcServices and GrpcEndpoints to what the last reconcile
 * concluded. Any number of conclusions become one write; a status that is there already is not written (S12); a write names the
 * resourceVersion it was made from, so a deposed leader's late one is refused (SPEC.md, 5.6).
 */
import type { Logger } from 'pino'
import { describeError } from '../errors.ts'
import type { StoredObject } from '../kube/resource.ts'
import { sameConclusion, sameJson } from '../plan/status.ts'
import { createRunner } from '../runtime/runner.ts'

/** An object with its status as it stands. */
export type WithStatus = StoredObject & { readonly status: unknown }

/** A kind whose status is written here. */
export interface StatusKind {
  /** The object as the store has it now; `undefined`: it is gone, and so is the need. */
  get(key: string): WithStatus | undefined
  /** `conflict`: the object is not at that resourceVersion any more. */
  apply(object: WithStatus, status: object, signal: AbortSignal): Promise<'applied' | 'conflict'>
}

export interface StatusWriter {
  /** Takes the place of what was asked for this object before. `make` gets the status as it stands. */
  want(kind: StatusKind, key: string, make: (previous: unknown) => object): void
  /** Resolves when the writes under way have ended. */
  stop(): Promise<void>
}

/** A write that changes what programs wait for comes at once, but for a service that flaps. */
const CONDITION_INTERVAL_MS = 500
/**
 * Counts, revision and messages of a service under churn are written when it comes to rest, or this often; the first time at once. A write
 * costs the API server about as much as ten Pod updates, and the Pods' own events would queue behind it.
 */
const COUNT_INTERVAL_MS = 5_000
const REST_MS = 1_000
/** After a conflict the watch brings the newer object within this time. */
const CONFLICT_RETRY_MS = 100
/** So many writes at once: a budget that leaves the API server its time for others. */
const CONCURRENCY = 4

interface Wanted {
  readonly kind: StatusKind
  readonly key: string
  readonly make: (previous: unknown) => object
  readonly atMs: number
}

export function createStatusWriter(
  kinds: Readonly<Record<string, StatusKind>>,
  log: Logger,
  signal: AbortSignal,
): StatusWriter {
  const names = new Map(Object.entries(kinds).map(([name, kind]) => [kind, name]))
  const wanted = new Map<string, Wanted>()
  const writtenAtMs = new Map<string, number>()
  const runner = createRunner(
    {
      concurrency: CONCURRENCY,
      run: write,
      onError: (id, error, retryInMs) =>
        log.warn({ object: id, error: describeError(error), retryInMs }, 'status not written'),
    },
    signal,
  )

  async function write(id: string): Promise<void> {
    const want = wanted.get(id)
    if (want === undefined) return
    const object = want.kind.get(want.key)
    if (object === undefined) {
      wanted.delete(id)
      return
    }
    const status = want.make(object.status)
    if (!sameJson(status, object.status)) {
      const lastMs = writtenAtMs.get(id) ?? -Infinity
      const dueMs = sameConclusion(status, object.status)
        ? Math.min(lastMs + COUNT_INTERVAL_MS, want.atMs + REST_MS)
        : lastMs + CONDITION_INTERVAL_MS
      const waitMs = dueMs - performance.now()
      if (waitMs > 0) {
        runner.addAfter(id, waitMs)
        return
      }
      if ((await want.kind.apply(object, status, signal)) === 'conflict') {
        runner.addAfter(id, CONFLICT_RETRY_MS)
        return
      }
      noteWrite(id)
    }
    if (wanted.get(id) === want) wanted.delete(id)
  }

  /** In order of time, so that what has no bearing on any later write is at the front, and goes. */
  function noteWrite(id: string): void {
    const nowMs = performance.now()
    writtenAtMs.delete(id)
    writtenAtMs.set(id, nowMs)
    for (const [other, atMs] of writtenAtMs) {
      if (atMs > nowMs - COUNT_INTERVAL_MS) break
      writtenAtMs.delete(other)
    }
  }

  return {
    want(kind, key, make) {
      const id = `${names.get(kind) ?? ''} ${key}`
      wanted.set(id, { kind, key, make, atMs: performance.now() })
      runner.add(id)
    },
    stop: async () => runner.stop(),
  }
}
