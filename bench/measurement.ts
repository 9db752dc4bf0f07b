/** Pairs what was sent to Kubernetes with what the observer saw in etcd, and keeps the latencies. All times are `monotonicMs`. */
import { z } from 'zod'

import { monotonicMs } from './clock.ts'
import type { Change, Group } from './workload.ts'

const lineSchema = z.tuple([z.number(), z.array(z.tuple([z.enum(['put', 'delete']), z.string()]))])

/** One change that everybody has seen. */
export interface Sample {
  readonly group: Group
  /** From the moment the patch was sent. */
  readonly sinceSentMs: number
  /** From the moment the API server acknowledged it; negative when etcd's watch was faster than the answer. */
  readonly sinceAcknowledgedMs: number
}

interface Expected extends Change {
  readonly sentMs: number
  acknowledgedMs?: number
  seenMs?: number
}

export class Measurement {
  #samples: Sample[] = []
  readonly #expected = new Map<string, Expected>()
  readonly #written = new Map<string, number>()
  #lost = 0

  /** Takes a line of the observer. */
  observe(line: string): void {
    const [atMs, events] = lineSchema.parse(JSON.parse(line))
    for (const [kind, key] of events) {
      this.#written.set(key, (this.#written.get(key) ?? 0) + 1)
      const expected = this.#expected.get(key)
      if (expected === undefined || expected.ready !== (kind === 'put')) continue
      expected.seenMs ??= atMs
      this.#settle(expected)
    }
  }

  /** Call it right before the patch is sent; the returned function, when it was acknowledged. */
  expect(change: Change): () => void {
    const { key } = change.pod
    if (this.#expected.has(key)) this.#lost += 1
    const expected: Expected = { ...change, sentMs: monotonicMs() }
    this.#expected.set(key, expected)
    return () => {
      expected.acknowledgedMs = monotonicMs()
      this.#settle(expected)
    }
  }

  /** Changes that were not seen yet. */
  get open(): number {
    return this.#expected.size
  }

  /** Changes that were overtaken by the next one of the same Pod before they were seen. */
  get lost(): number {
    return this.#lost
  }

  get samples(): readonly Sample[] {
    return this.#samples
  }

  /** Ends the warm-up. */
  forgetSamples(): void {
    this.#samples = []
  }

  /** Puts and deletes so far of keys that begin with one of the prefixes. */
  writes(...prefixes: readonly string[]): number {
    let sum = 0
    for (const [key, count] of this.#written) if (prefixes.some((prefix) => key.startsWith(prefix))) sum += count
    return sum
  }

  #settle(expected: Expected): void {
    const { pod, sentMs, acknowledgedMs, seenMs } = expected
    if (acknowledgedMs === undefined || seenMs === undefined) return
    if (this.#expected.get(pod.key) === expected) this.#expected.delete(pod.key)
    this.#samples.push({
      group: pod.group,
      sinceSentMs: seenMs - sentMs,
      sinceAcknowledgedMs: seenMs - acknowledgedMs,
    })
  }
}
