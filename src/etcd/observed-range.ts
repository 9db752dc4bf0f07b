/**
 * What is known of one range of keys, from three sources that may come in any order: a read of the whole range, the watch, and our own
 * commits. Merged per key by mod revision; an own delete leaves a tombstone until the watch has passed it. No I/O.
 */
import type { Entry, KvEvent, LeaseId, Revision } from './kv.ts'

/** A commit of ours, as the mirror has to show it before the watch repeats it. */
export interface OwnCommit {
  readonly revision: Revision
  readonly puts: Iterable<{ readonly key: string; readonly value: string; readonly lease: LeaseId | null }>
  readonly deletes: Iterable<string>
  /** Its Txn compared the whole range with `observed`, so that no other put can lie between: only then does `observed` move. */
  readonly guarded: boolean
}

export class ObservedRange {
  readonly #entries = new Map<string, Entry>()
  /** Key → revision of our own delete. */
  readonly #tombstones = new Map<string, Revision>()
  #observed: Revision = 0
  #delivered: Revision = 0

  get entries(): ReadonlyMap<string, Entry> {
    return this.#entries
  }

  /** Every put to this range up to here is in `entries`; never the revision of another range or of a progress notify. */
  get observed(): Revision {
    return this.#observed
  }

  /**
   * A read stands above all that was known up to its revision: a store that was restored has other entries at the same revisions.
   *
   * @returns the keys whose entry is new, other or gone now.
   */
  read(entries: readonly Entry[], revision: Revision): readonly string[] {
    const changed: string[] = []
    const found = new Set<string>()
    for (const entry of entries) {
      found.add(entry.key)
      const known = this.#entries.get(entry.key)
      if ((known?.modRevision ?? this.#tombstones.get(entry.key) ?? -1) > revision) continue
      this.#entries.set(entry.key, entry)
      const isSame = known?.modRevision === entry.modRevision && Buffer.compare(known.value, entry.value) === 0
      if (!isSame) changed.push(entry.key)
    }
    for (const entry of this.#entries.values()) {
      if (!found.has(entry.key) && entry.modRevision <= revision) {
        this.#entries.delete(entry.key)
        changed.push(entry.key)
      }
    }
    this.passed(revision)
    this.#observed = Math.max(this.#observed, revision)
    return changed
  }

  /** Everything up to here came by a read or the watch. */
  get delivered(): Revision {
    return this.#delivered
  }

  /** @returns the keys that the events changed; none for what our own commits had told already. */
  watched(events: readonly KvEvent[], revision: Revision): readonly string[] {
    const changed = new Set<string>()
    for (const event of events) {
      if (event.kind === 'put' ? this.#put(event.entry) : this.#delete(event.key, event.modRevision)) {
        changed.add(event.kind === 'put' ? event.entry.key : event.key)
      }
    }
    this.passed(revision)
    this.#observed = Math.max(this.#observed, revision)
    return [...changed]
  }

  /** The reply may come after the watch has told of the commit, and of what happened to its keys since: then it says nothing new. */
  committed({ revision, puts, deletes, guarded }: OwnCommit): void {
    if (revision <= this.#delivered) return
    for (const { key, value, lease } of puts) {
      const createRevision = this.#entries.get(key)?.createRevision ?? revision
      this.#put({ key, value: Buffer.from(value), lease, createRevision, modRevision: revision })
    }
    for (const key of deletes) {
      this.#delete(key, revision)
      this.#tombstones.set(key, revision)
    }
    if (guarded) this.#observed = Math.max(this.#observed, revision)
  }

  /** The watch has delivered everything up to here: older events can not come any more. */
  passed(revision: Revision): void {
    this.#delivered = Math.max(this.#delivered, revision)
    for (const [key, deleted] of this.#tombstones) if (deleted <= revision) this.#tombstones.delete(key)
  }

  /** Another store: its revisions do not compare with those we knew. The entries stay until `read` replaces them. */
  forgetRevisions(): void {
    this.#observed = 0
    this.#delivered = 0
    this.#tombstones.clear()
    for (const [key, entry] of this.#entries) this.#entries.set(key, { ...entry, createRevision: 0, modRevision: 0 })
  }

  #put(entry: Entry): boolean {
    const known = this.#entries.get(entry.key)?.modRevision ?? this.#tombstones.get(entry.key) ?? -1
    if (known > entry.modRevision) return false
    this.#entries.set(entry.key, entry)
    return known !== entry.modRevision
  }

  #delete(key: string, revision: Revision): boolean {
    const known = this.#entries.get(key)
    return known !== undefined && known.modRevision < revision && this.#entries.delete(key)
  }
}
