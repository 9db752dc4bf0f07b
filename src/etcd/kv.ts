/**
 * The store as plain data: what the rest of the operator knows of etcd's API. `client.ts` implements it over the network.
 * Keys and the values we write are UTF-8 strings; values that we read are bytes, because anybody may have written them. A key that somebody
 * wrote and that is not UTF-8 has lone surrogates in it (`key-bytes.ts`).
 */

/** Lowercase hex without leading zeros, as etcdctl prints it (`694d81417acd4b11`); never a JS number: IDs have 63 bits. */
export type LeaseId = string

/** A revision of the store. etcd counts in int64; a store at a million writes a second takes 285 years to pass 2^53. */
export type Revision = number

/** One key as stored (mvccpb.KeyValue). */
export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  /** `null`: no lease. */
  readonly lease: LeaseId | null
  readonly createRevision: Revision
  readonly modRevision: Revision
}

/** `[key, rangeEnd)`; without `rangeEnd` the one key. */
export interface KeyRange {
  readonly key: string
  readonly rangeEnd?: string | undefined
}

/** The range of all keys that begin with `prefix`; of all keys for an empty one. */
export function prefixRange(prefix: string): KeyRange {
  return { key: prefix === '' ? '\0' : prefix, rangeEnd: prefixEnd(prefix) }
}

/**
 * The first key after all that begin with `prefix`: its last code point raised by one. UTF-8 orders bytes as code points, so this is exact
 * for keys that are UTF-8. `"\0"`, etcd's "no end", if there is none.
 */
export function prefixEnd(prefix: string): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  while (points.at(-1) === 0x10ffff) points.pop()
  const last = points.pop()
  if (last === undefined) return '\0'
  // U+D800..U+DFFF are surrogates: not in UTF-8.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
}

/** A condition of a Txn (etcdserverpb.Compare). With `rangeEnd` it must hold for every key of the range, and holds for an empty one. */
export type Compare =
  | { readonly kind: 'value'; readonly key: string; readonly value: string }
  | ({ readonly kind: 'modRevision'; readonly result: '=' | '<' | '>'; readonly revision: Revision } & KeyRange)
  | ({ readonly kind: 'createRevision'; readonly result: '=' | '<' | '>'; readonly revision: Revision } & KeyRange)

export type Op =
  | ({
      readonly kind: 'put'
      readonly key: string
      readonly value: string
      readonly lease: LeaseId | null
    } & WantPrevious)
  | ({ readonly kind: 'delete' } & KeyRange & WantPrevious)
  | ({ readonly kind: 'range' } & RangeOptions)
  | { readonly kind: 'txn'; readonly txn: Txn }

interface WantPrevious {
  /** Ask for what is overwritten or deleted. */
  readonly prevKv?: boolean | undefined
}

/** `If(compare all hold) Then(success) Else(failure)`: atomic, one revision. A key may be written once only, nested Txns included. */
export interface Txn {
  readonly compare: readonly Compare[]
  readonly success: readonly Op[]
  readonly failure: readonly Op[]
}

export interface RangeOptions extends KeyRange {
  /** Read at this revision; absent: the newest (linearizable). */
  readonly revision?: Revision | undefined
  readonly limit?: number | undefined
  readonly keysOnly?: boolean | undefined
  /** `newest`: by mod revision, descending. Absent: by key. */
  readonly order?: 'newest' | undefined
}

export interface RangeResult {
  readonly entries: readonly Entry[]
  /** Keys in the whole range, also past `limit`. */
  readonly count: number
  readonly more: boolean
}

export type OpResult =
  /** `previous`: when asked for and there was one. */
  | { readonly kind: 'put'; readonly previous?: Entry | undefined }
  | { readonly kind: 'delete'; readonly deleted: number; readonly previous: readonly Entry[] }
  | ({ readonly kind: 'range' } & RangeResult)
  | { readonly kind: 'txn'; readonly result: Omit<TxnResult, 'header'> }

/** Where an answer comes from: which store, at which revision. */
export interface Header {
  readonly clusterId: string
  readonly revision: Revision
}

export interface TxnResult {
  readonly header: Header
  readonly succeeded: boolean
  /** One a op of the branch that ran. */
  readonly results: readonly OpResult[]
}

/** One change, as a watch delivers it. */
export type KvEvent =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: Revision }

export function revisionOf(event: KvEvent): Revision {
  return event.kind === 'put' ? event.entry.modRevision : event.modRevision
}

/** The unary calls. Every method throws the classes of `errors.ts`; a `TimeoutError` of `txn` means: outcome unknown. */
export interface Kv {
  txn(txn: Txn, signal: AbortSignal): Promise<TxnResult>
  range(options: RangeOptions, signal: AbortSignal): Promise<RangeResult & { readonly header: Header }>
  /** Idempotent: an ID that is already granted (our own lost reply) is success. Returns the granted TTL in seconds. */
  leaseGrant(id: LeaseId, ttlSeconds: number, signal: AbortSignal): Promise<number>
}
