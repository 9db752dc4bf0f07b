/** An etcd of a dozen lines for the laws of the pure core: evaluates a Txn of puts, deletes and nested Txns on a map. */
import type { Compare, Entry, Op, Txn } from '../../src/etcd/kv.ts'

export class StoreModel {
  readonly entries = new Map<string, Entry>()
  revision = 1

  put(key: string, value: string, lease: string | null): void {
    this.revision += 1
    this.#put(key, value, lease)
  }

  delete(key: string): void {
    this.revision += 1
    this.entries.delete(key)
  }

  /** @returns whether the guard held; throws where etcd would refuse the request. */
  commit(txn: Txn): boolean {
    if (!txn.compare.every((compare) => this.#holds(compare))) return false
    const written = new Set<string>()
    this.revision += 1
    for (const op of txn.success) this.#run(op, written)
    return true
  }

  range(key: string, rangeEnd: string): ReadonlyMap<string, Entry> {
    return new Map([...this.entries].filter(([name]) => name >= key && name < rangeEnd))
  }

  #run(op: Op, written: Set<string>): void {
    if (op.kind === 'range') return
    if (op.kind === 'txn') throw new Error('the plan of one service does not nest')
    if (written.has(op.key)) throw new Error(`duplicate key given in txn request: ${op.key}`)
    written.add(op.key)
    if (op.kind === 'put') this.#put(op.key, op.value, op.lease)
    else this.entries.delete(op.key)
  }

  #put(key: string, value: string, lease: string | null): void {
    const createRevision = this.entries.get(key)?.createRevision ?? this.revision
    this.entries.set(key, {
      key,
      value: new TextEncoder().encode(value),
      lease,
      createRevision,
      modRevision: this.revision,
    })
  }

  #holds(compare: Compare): boolean {
    if (compare.kind === 'value') return text(this.entries.get(compare.key)) === compare.value
    const { rangeEnd } = compare
    const entries =
      rangeEnd === undefined ? [this.entries.get(compare.key)] : [...this.range(compare.key, rangeEnd).values()]
    return entries.every((entry) => {
      const revision = (compare.kind === 'modRevision' ? entry?.modRevision : entry?.createRevision) ?? 0
      if (compare.result === '=') return revision === compare.revision
      return compare.result === '<' ? revision < compare.revision : revision > compare.revision
    })
  }
}

export function text(entry: Entry | undefined): string | undefined {
  return entry === undefined ? undefined : new TextDecoder().decode(entry.value)
}
