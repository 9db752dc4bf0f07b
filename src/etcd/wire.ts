/**
 * Plain data of `kv.ts` and `streams.ts` ↔ the messages of etcd's protocol as @grpc/proto-loader shapes them: snake case, int64 as decimal
 * strings, bytes as Buffers. Pure. Keeps lease IDs out of JS numbers and refuses revisions that a number can not hold.
 */
import { InvariantError } from '../errors.ts'
import { keyFromBytes, keyToBytes } from './key-bytes.ts'
import type {
  Compare,
  Entry,
  Header,
  KeyRange,
  KvEvent,
  LeaseId,
  Op,
  OpResult,
  RangeOptions,
  Txn,
  TxnResult,
} from './kv.ts'
import type { KeepAliveMessage, WatchMessage, WatchRequest } from './streams.ts'

interface WireHeader {
  readonly cluster_id: string
  readonly revision: string
}
interface WireKeyValue {
  readonly key: Buffer
  readonly value: Buffer
  readonly lease: string
  readonly create_revision: string
  readonly mod_revision: string
}
export interface WireRangeResponse {
  readonly header: WireHeader | null
  readonly kvs: readonly WireKeyValue[]
  readonly more: boolean
  readonly count: string
}
interface WireResponseOp {
  readonly response_range?: WireRangeResponse
  readonly response_put?: { readonly prev_kv: WireKeyValue | null }
  readonly response_delete_range?: { readonly deleted: string; readonly prev_kvs: readonly WireKeyValue[] }
  readonly response_txn?: WireTxnResponse
}
export interface WireTxnResponse {
  readonly header: WireHeader | null
  readonly succeeded: boolean
  readonly responses: readonly WireResponseOp[]
}
export interface WireWatchResponse {
  readonly header: WireHeader | null
  readonly watch_id: string
  readonly created: boolean
  readonly canceled: boolean
  readonly compact_revision: string
  readonly cancel_reason: string
  readonly fragment: boolean
  readonly events: readonly { readonly type: 'Put' | 'Delete'; readonly kv: WireKeyValue }[]
}
export interface WireKeepAliveResponse {
  readonly ID: string
  readonly TTL: string
}

export interface WireStatusResponse {
  readonly header: WireHeader | null
  readonly version: string
  readonly dbSize: string
  readonly leader: string
}

// Numbers of rpc.proto.
const COMPARE_RESULT = { '=': 0, '>': 1, '<': 2 }
const COMPARE_TARGET = { create: 1, mod: 2, value: 3 }
const SORT_DESCENDING = 2
const SORT_BY_MOD = 3

/** Our hex → the decimal string of an int64. */
export function leaseToWire(id: LeaseId | null): string {
  return id === null ? '0' : BigInt.asIntN(64, BigInt(`0x${id}`)).toString()
}

export function leaseFromWire(id: string): LeaseId | null {
  return id === '0' ? null : BigInt.asUintN(64, BigInt(id)).toString(16)
}

export function numberFromWire(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new InvariantError(`etcd sent ${text}, which is beyond 2^53`)
  return value
}

export function headerFromWire(header: WireHeader | null): Header {
  if (header === null) throw new InvariantError('etcd sent an answer without a header')
  return { clusterId: header.cluster_id, revision: numberFromWire(header.revision) }
}

function rangeToWire({ key, rangeEnd }: KeyRange): object {
  return rangeEnd === undefined ? { key: keyToBytes(key) } : { key: keyToBytes(key), range_end: keyToBytes(rangeEnd) }
}

export function rangeRequestToWire(options: RangeOptions): object {
  return {
    ...rangeToWire(options),
    revision: options.revision ?? 0,
    limit: options.limit ?? 0,
    keys_only: options.keysOnly ?? false,
    ...(options.order === 'newest' ? { sort_order: SORT_DESCENDING, sort_target: SORT_BY_MOD } : {}),
  }
}

function compareToWire(compare: Compare): object {
  switch (compare.kind) {
    case 'value':
      return {
        key: keyToBytes(compare.key),
        target: COMPARE_TARGET.value,
        result: COMPARE_RESULT['='],
        value: Buffer.from(compare.value),
      }
    case 'modRevision':
      return {
        ...rangeToWire(compare),
        target: COMPARE_TARGET.mod,
        result: COMPARE_RESULT[compare.result],
        mod_revision: compare.revision,
      }
    case 'createRevision':
      return {
        ...rangeToWire(compare),
        target: COMPARE_TARGET.create,
        result: COMPARE_RESULT[compare.result],
        create_revision: compare.revision,
      }
  }
}

function opToWire(op: Op): object {
  switch (op.kind) {
    case 'put':
      return {
        request_put: {
          key: keyToBytes(op.key),
          value: Buffer.from(op.value),
          lease: leaseToWire(op.lease),
          prev_kv: op.prevKv ?? false,
        },
      }
    case 'delete':
      return { request_delete_range: { ...rangeToWire(op), prev_kv: op.prevKv ?? false } }
    case 'range':
      return { request_range: rangeRequestToWire(op) }
    case 'txn':
      return { request_txn: txnToWire(op.txn) }
  }
}

export function txnToWire(txn: Txn): object {
  return {
    compare: txn.compare.map(compareToWire),
    success: txn.success.map(opToWire),
    failure: txn.failure.map(opToWire),
  }
}

function entryFromWire(kv: WireKeyValue): Entry {
  return {
    key: keyFromBytes(kv.key),
    // A copy: the Buffer is a window on the whole message, which one long-lived entry would keep in memory.
    value: Buffer.from(kv.value),
    lease: leaseFromWire(kv.lease),
    createRevision: numberFromWire(kv.create_revision),
    modRevision: numberFromWire(kv.mod_revision),
  }
}

export function rangeFromWire(response: WireRangeResponse): Extract<OpResult, { kind: 'range' }> {
  return {
    kind: 'range',
    entries: response.kvs.map(entryFromWire),
    count: numberFromWire(response.count),
    more: response.more,
  }
}

function opResultFromWire(response: WireResponseOp): OpResult {
  if (response.response_range) return rangeFromWire(response.response_range)
  if (response.response_put) {
    const { prev_kv: previous } = response.response_put
    return previous === null ? { kind: 'put' } : { kind: 'put', previous: entryFromWire(previous) }
  }
  if (response.response_delete_range) {
    const { deleted, prev_kvs: previous } = response.response_delete_range
    return { kind: 'delete', deleted: numberFromWire(deleted), previous: previous.map(entryFromWire) }
  }
  if (response.response_txn) return { kind: 'txn', result: branchFromWire(response.response_txn) }
  throw new InvariantError('etcd sent a result of an unknown kind')
}

function branchFromWire(response: WireTxnResponse): Omit<TxnResult, 'header'> {
  return { succeeded: response.succeeded, results: response.responses.map(opResultFromWire) }
}

export function txnFromWire(response: WireTxnResponse): TxnResult {
  return { header: headerFromWire(response.header), ...branchFromWire(response) }
}

export function watchRequestToWire(request: WatchRequest): object {
  switch (request.kind) {
    case 'create':
      return {
        create_request: {
          ...rangeToWire(request.range),
          start_revision: request.startRevision,
          watch_id: request.id,
          progress_notify: true,
          fragment: true,
        },
      }
    case 'cancel':
      return { cancel_request: { watch_id: request.id } }
    case 'progress':
      return { progress_request: {} }
  }
}

export function watchMessageFromWire(response: WireWatchResponse): WatchMessage {
  return {
    header: headerFromWire(response.header),
    id: numberFromWire(response.watch_id),
    created: response.created,
    canceled: response.canceled,
    compactRevision: numberFromWire(response.compact_revision),
    cancelReason: response.cancel_reason,
    fragment: response.fragment,
    events: response.events.map(({ type, kv }): KvEvent =>
      type === 'Put'
        ? { kind: 'put', entry: entryFromWire(kv) }
        : { kind: 'delete', key: keyFromBytes(kv.key), modRevision: numberFromWire(kv.mod_revision) },
    ),
  }
}

export function keepAliveFromWire(response: WireKeepAliveResponse): KeepAliveMessage {
  return { lease: leaseFromWire(response.ID) ?? '0', ttlSeconds: numberFromWire(response.TTL) }
}
