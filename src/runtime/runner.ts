/**
 * Runs one function for every key of a WorkQueue, several keys at a time, each key alone. What the function throws is handed to
 * `onError`, and the key comes again after a backoff of its own: one key's trouble never delays another (S14).
 */
import { createBackoff, type Backoff } from './backoff.ts'
import { WorkQueue } from './work-queue.ts'

const FIRST_RETRY_MS = 100
/** Short, because what heals elsewhere (a full store, a permission granted) tells nobody: L1 counts from there. */
const LAST_RETRY_MS = 4_000

/** So many runs may start before timers and I/O get their turn: runs that wait for nothing must not starve lease renewals. */
const RUNS_PER_TURN = 256

export interface RunnerOptions<Key extends string> {
  /** How many keys may be worked on at once. */
  readonly concurrency: number
  readonly run: (key: Key, signal: AbortSignal) => Promise<void>
  /** Called once for each failure, before the retry is scheduled; the one place where these errors are logged. */
  readonly onError: (key: Key, error: unknown, retryInMs: number) => void
}

export interface Runner<Key extends string> {
  add(key: Key): void
  addAfter(key: Key, delayMs: number): void
  readonly depth: number
  /** Takes no further key; resolves when those under way have ended. */
  stop(): Promise<void>
}

/** Starts at once. `signal` ends the runs under way; `stop` lets them finish. */
export function createRunner<Key extends string>(options: RunnerOptions<Key>, signal: AbortSignal): Runner<Key> {
  const backoffs = new Map<Key, Backoff>()
  const running = new Set<Promise<void>>()
  let startedInTurn = 0
  const queue = new WorkQueue<Key>(() => fill())

  function fill(): void {
    while (running.size < options.concurrency) {
      if (startedInTurn >= RUNS_PER_TURN) return
      const key = queue.take()
      if (key === undefined) return
      if (startedInTurn === 0) setImmediate(nextTurn)
      startedInTurn += 1
      const work = process(key).finally(() => {
        running.delete(work)
        fill()
      })
      running.add(work)
    }
  }

  function nextTurn(): void {
    startedInTurn = 0
    fill()
  }

  async function process(key: Key): Promise<void> {
    try {
      await options.run(key, signal)
      backoffs.delete(key)
    } catch (error) {
      if (signal.aborted) return
      const backoff = backoffs.get(key) ?? createBackoff(FIRST_RETRY_MS, LAST_RETRY_MS)
      backoffs.set(key, backoff)
      const retryInMs = backoff.next()
      options.onError(key, error, retryInMs)
      queue.addAfter(key, retryInMs)
    } finally {
      queue.done(key)
    }
  }

  return {
    add: (key) => queue.add(key),
    addAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    get depth() {
      return queue.depth
    },
    async stop() {
      queue.close()
      await Promise.all(running)
    },
  }
}
