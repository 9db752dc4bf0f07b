/**
 * The last known state of one kind, as slim records with indexes. One writer (the reflector), many readers.
 * Keeps: unsynced is not empty (`ready`, S4); a change reaches the listeners after the store shows it, and only if something
 * did change (S12); another object of the same name is a deletion and an addition, never an update.
 */
import { InvariantError } from '../errors.ts'
import type { StoredObject } from './resource.ts'

/** From `before` to `after`; `undefined` on one side: created or gone. */
export interface Change<T> {
  readonly before: T | undefined
  readonly after: T | undefined
}

export type ChangeListener<T> = (change: Change<T>) => void

/** By name: the values under which a record is found. */
export type Indexes<T> = Readonly<Record<string, (record: T) => readonly string[]>>

export interface StoreReader<T extends StoredObject> {
  /** Whether a complete set was ever received. Before that, an absent record means nothing. */
  readonly ready: boolean
  readonly size: number
  /** How far the store has come, by the API server's counting; `undefined` until ready. Opaque but for equality. */
  readonly resourceVersion: string | undefined
  get(key: string): T | undefined
  values(): Iterable<T>
  /** The records that the index files under the value, in no particular order. Throws InvariantError for an unknown index. */
  byIndex(index: string, value: string): Iterable<T>
  /** Calls the listener with each change from now on, synchronously. Returns how to stop that. */
  subscribe(listener: ChangeListener<T>): () => void
}

interface Index<T> {
  readonly valuesOf: (record: T) => readonly string[]
  readonly entries: Map<string, Map<string, T>>
}

export class Store<T extends StoredObject> implements StoreReader<T> {
  readonly #records = new Map<string, T>()
  readonly #indexes: ReadonlyMap<string, Index<T>>
  readonly #listeners = new Set<ChangeListener<T>>()
  #resourceVersion: string | undefined

  constructor(indexes: Indexes<T> = {}) {
    this.#indexes = new Map(Object.entries(indexes).map(([name, valuesOf]) => [name, { valuesOf, entries: new Map() }]))
  }

  get ready(): boolean {
    return this.#resourceVersion !== undefined
  }

  get size(): number {
    return this.#records.size
  }

  get resourceVersion(): string | undefined {
    return this.#resourceVersion
  }

  get(key: string): T | undefined {
    return this.#records.get(key)
  }

  values(): Iterable<T> {
    return this.#records.values()
  }

  byIndex(index: string, value: string): Iterable<T> {
    const found = this.#indexes.get(index)
    if (found === undefined) throw new InvariantError(`no index is called "${index}"`)
    return found.entries.get(value)?.values() ?? []
  }

  subscribe(listener: ChangeListener<T>): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** One object was created or changed. The same version again is no change. */
  apply(record: T): void {
    this.#resourceVersion = record.resourceVersion
    this.#commit(changes(this.#records.get(record.key), record))
  }

  /** One object was deleted, at this version. */
  remove(key: string, resourceVersion: string): void {
    this.#resourceVersion = resourceVersion
    this.#commit(changes(this.#records.get(key), undefined))
  }

  /** Nothing changed up to this version. */
  advance(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion
  }

  /** A complete set, read at this version: takes the place of all that was here. Only differences are delivered. */
  replace(records: ReadonlyMap<string, T>, resourceVersion: string): void {
    this.#resourceVersion = resourceVersion
    const differences: Change<T>[] = []
    for (const before of this.#records.values()) {
      if (!records.has(before.key)) differences.push({ before, after: undefined })
    }
    for (const after of records.values()) differences.push(...changes(this.#records.get(after.key), after))
    this.#commit(differences)
  }

  /** All of it is visible before any of it is told. */
  #commit(committed: readonly Change<T>[]): void {
    for (const { before, after } of committed) {
      if (before !== undefined) this.#drop(before)
      if (after !== undefined) this.#add(after)
    }
    for (const change of committed) {
      for (const listener of this.#listeners) listener(change)
    }
  }

  #add(record: T): void {
    this.#records.set(record.key, record)
    for (const { valuesOf, entries } of this.#indexes.values()) {
      for (const value of valuesOf(record)) {
        const filed = entries.get(value)
        if (filed === undefined) entries.set(value, new Map([[record.key, record]]))
        else filed.set(record.key, record)
      }
    }
  }

  #drop(record: T): void {
    this.#records.delete(record.key)
    for (const { valuesOf, entries } of this.#indexes.values()) {
      for (const value of valuesOf(record)) {
        const filed = entries.get(value)
        filed?.delete(record.key)
        if (filed?.size === 0) entries.delete(value)
      }
    }
  }
}

function changes<T extends StoredObject>(before: T | undefined, after: T | undefined): readonly Change<T>[] {
  if (before === undefined) return after === undefined ? [] : [{ before, after }]
  if (after === undefined) return [{ before, after }]
  if (before.uid !== after.uid)
    return [
      { before, after: undefined },
      { before: undefined, after },
    ]
  return before.resourceVersion === after.resourceVersion ? [] : [{ before, after }]
}
