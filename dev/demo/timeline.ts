/**
 * The demo's story, put together from three observers that do not know each other: the API server says which Pod became ready or is going,
 * etcd says when its key came or went, the Go client says who answered. They report in any order; a line is printed as soon as it is whole.
 * Pure but for `print`. All times are milliseconds since 1970.
 */
import type { StoredChange } from './etcd-watch.ts'

export interface Line {
  readonly kind: 'published' | 'removed'
  readonly atMs: number
  /** Of the Pod or the GrpcEndpoint. */
  readonly source: string
  readonly address: string
  readonly revision: number
  /** From the change in Kubernetes to the key in etcd; negative when etcd's watch was faster than Kubernetes'. */
  readonly storedAfterMs: number
  /** From the change in Kubernetes to the first answer that the client got; `undefined` when it can not have one. */
  readonly answeredAfterMs: number | undefined
}

export interface Answer {
  readonly address: string
  /** When the call began. */
  readonly begunAtMs: number
  readonly endedAtMs: number
}

export interface Totals {
  /** Sources that became ready or went away. */
  readonly changes: number
  readonly puts: number
  readonly deletes: number
  readonly revisions: number
  /** `storedAfterMs` of all lines. */
  readonly latenciesMs: readonly number[]
}

interface Pending {
  source?: string
  atMs?: number
  revision?: number
  storedAtMs?: number
  answeredAtMs?: number
}

export class Timeline {
  readonly #print: (line: Line) => void
  readonly #sources = new Map<string, string>()
  readonly #stored = new Set<string>()
  readonly #arriving = new Map<string, Pending>()
  readonly #leaving = new Map<string, Pending>()
  readonly #removedAtMs = new Map<string, number>()
  readonly #revisions = new Set<number>()
  readonly #latenciesMs: number[] = []
  #changes = 0
  #puts = 0
  #deletes = 0
  #fewest = 0

  constructor(print: (line: Line) => void) {
    this.#print = print
  }

  sourceReady(source: string, address: string, atMs: number): void {
    this.#changes += 1
    this.#sources.set(address, source)
    this.#arrive(address, { source, atMs })
  }

  sourceGone(source: string, address: string, atMs: number): void {
    this.#changes += 1
    // An address may have a new owner by now.
    if (this.#sources.get(address) === source) this.#sources.delete(address)
    this.#leave(address, { source, atMs })
  }

  stored(changes: readonly StoredChange[], atMs: number): void {
    for (const [index, { kind, address, revision }] of changes.entries()) {
      this.#revisions.add(revision)
      if (kind === 'put') {
        this.#puts += 1
        this.#stored.add(address)
        this.#arrive(address, { revision, storedAtMs: atMs })
      } else {
        this.#deletes += 1
        this.#stored.delete(address)
        this.#removedAtMs.set(address, atMs)
        this.#leave(address, { revision, storedAtMs: atMs })
      }
      // What clients see is whole revisions.
      if (changes[index + 1]?.revision !== revision) this.#fewest = Math.min(this.#fewest, this.#stored.size)
    }
  }

  answered({ address, begunAtMs, endedAtMs }: Answer): void {
    const pending = this.#arriving.get(address)
    // Kubernetes may give the address of a Pod that went to a new one: answers to calls of that time are not the new Pod's.
    if (pending === undefined || pending.answeredAtMs !== undefined) return
    if (begunAtMs > (this.#removedAtMs.get(address) ?? 0)) this.#arrive(address, { answeredAtMs: endedAtMs })
  }

  /** Exactly the ready sources are in etcd, and all lines were printed. */
  settled(sources: number): boolean {
    return (
      this.#sources.size === sources &&
      this.#stored.size === sources &&
      this.#sources.keys().every((address) => this.#stored.has(address)) &&
      this.#arriving.size === 0 &&
      this.#leaving.size === 0
    )
  }

  /** How far it is from settled, for an error message. */
  describe(): string {
    const list = (keys: Iterable<string>): string => [...keys].sort().join(' ') || 'none'
    return [
      `ready in Kubernetes: ${list(this.#sources.keys())}`,
      `in etcd: ${list(this.#stored)}`,
      `not seen by all yet: ${list([...this.#arriving.keys(), ...this.#leaving.keys()])}`,
    ].join('; ')
  }

  totals(): Totals {
    return {
      changes: this.#changes,
      puts: this.#puts,
      deletes: this.#deletes,
      revisions: this.#revisions.size,
      latenciesMs: this.#latenciesMs,
    }
  }

  /** Begins a count of the fewest endpoints that any revision showed; the returned function reads it. */
  countFewest(): () => number {
    this.#fewest = this.#stored.size
    return () => this.#fewest
  }

  #arrive(address: string, news: Pending): void {
    const pending = merge(this.#arriving, address, news)
    if (pending.answeredAtMs === undefined) return
    this.#finish('published', this.#arriving, address, pending)
  }

  #leave(address: string, news: Pending): void {
    this.#finish('removed', this.#leaving, address, merge(this.#leaving, address, news))
  }

  #finish(kind: Line['kind'], among: Map<string, Pending>, address: string, pending: Pending): void {
    const { source, atMs, revision, storedAtMs, answeredAtMs } = pending
    if (source === undefined || atMs === undefined || revision === undefined || storedAtMs === undefined) return
    among.delete(address)
    const storedAfterMs = storedAtMs - atMs
    this.#latenciesMs.push(storedAfterMs)
    const answeredAfterMs = answeredAtMs === undefined ? undefined : answeredAtMs - atMs
    this.#print({ kind, atMs, source, address, revision, storedAfterMs, answeredAfterMs })
  }
}

function merge(among: Map<string, Pending>, address: string, news: Pending): Pending {
  const merged = { ...among.get(address), ...news }
  among.set(address, merged)
  return merged
}
