/**
 * From a caller's updates to one Txn, as `endpoints.Manager.Update` makes it (client/v3/naming/endpoints/endpoints_impl.go), with two
 * differences: a key that comes twice is written once, with the last update (etcd refuses such a Txn, and its documentation shows one),
 * and more than 128 updates are nested, still one revision. Pure.
 */
import { InvalidArgumentError } from '../errors.ts'
import type { LeaseId, Op, OpResult } from '../etcd/kv.ts'
import { nest } from '../etcd/nest.ts'
import { decodeEndpoint, encodeEndpoint } from './endpoint.ts'
import type { DecodedEndpoint, Endpoint } from './endpoint.ts'

/** One change that `EndpointManager.update` is to make. */
export type Update =
  | ({ readonly op: 'add'; readonly key: string; readonly endpoint: Endpoint } & AddOptions)
  | ({ readonly op: 'delete'; readonly key: string } & DeleteOptions)

/** For an add, beside key and endpoint. */
export interface AddOptions extends DeleteOptions {
  /**
   * The key lives as long as this lease: its ID in hexadecimal as `etcdctl` prints it, or as a bigint (`BigInt(id)` of the etcd3 package).
   * Without one the key stays until it is deleted, and is taken off the lease that it had.
   */
  readonly lease?: LeaseId | bigint | undefined
}

/** For an add or a delete. */
export interface DeleteOptions {
  /** Tell in `UpdateResult.previous` what was under the key. */
  readonly prevValue?: boolean | undefined
}

/** etcd's default of --max-txn-ops counts the widths along a path of nested Txns: 3 × 42. */
const MAX_TXN_OPS = 128
const NESTED_WIDTH = 42

/**
 * @returns the operations, each key once, nested where they are many
 * @throws InvalidArgumentError in Go's words, for the first update that is wrong
 * @throws UnsupportedValueError when metadata has no JSON form
 */
export function opsOf(target: string, updates: readonly Update[]): readonly Op[] {
  const byKey = new Map<string, Op>()
  for (const update of updates) {
    const op = opOf(target, update)
    // Last in, last in order: as if they had been applied one after the other.
    byKey.delete(update.key)
    byKey.set(update.key, op)
  }
  return nest([...byKey.values()], byKey.size <= MAX_TXN_OPS ? MAX_TXN_OPS : NESTED_WIDTH)
}

function opOf(target: string, update: Update): Op {
  if (typeof update !== 'object' || update === null) throw new InvalidArgumentError('endpoints: bad update op', 'etcd')
  const { key } = update
  if (typeof key !== 'string' || !key.startsWith(`${target}/`)) {
    const message = `endpoints: endpoint key should be prefixed with '${target}/' got: '${key}'`
    throw new InvalidArgumentError(message, 'etcd')
  }
  const prevKv = update.prevValue ?? false
  switch (update.op) {
    case 'add':
      if (typeof update.endpoint !== 'object' || update.endpoint === null) {
        throw new InvalidArgumentError(`endpoints: the add of '${key}' has no endpoint`, key)
      }
      return { kind: 'put', key, value: encodeEndpoint(update.endpoint), lease: leaseOf(update), prevKv }
    case 'delete':
      return { kind: 'delete', key, prevKv }
    default:
      throw new InvalidArgumentError('endpoints: bad update op', key)
  }
}

function leaseOf({ key, lease }: { readonly key: string } & AddOptions): LeaseId | null {
  if (lease === undefined) return null
  const id = typeof lease === 'bigint' ? BigInt.asUintN(64, lease).toString(16) : lease
  if (typeof id !== 'string' || !/^[0-9a-f]{1,16}$/.test(id)) {
    const message = `endpoints: the lease of '${key}' must be an ID in hexadecimal, e.g. 694d81417acd4b11, got: '${id}'`
    throw new InvalidArgumentError(message, key)
  }
  return /^0+$/.test(id) ? null : id.replace(/^0+/, '')
}

/** What the results say about keys that were overwritten or deleted; a value that was no endpoint is left out. */
export function previousOf(results: readonly OpResult[]): ReadonlyMap<string, DecodedEndpoint> {
  const previous = new Map<string, DecodedEndpoint>()
  for (const { key, value } of results.flatMap(previousEntries)) {
    const decoded = decodeEndpoint(value)
    if (decoded.ok) previous.set(key, decoded.endpoint)
  }
  return previous
}

function previousEntries(result: OpResult): readonly { readonly key: string; readonly value: Uint8Array }[] {
  switch (result.kind) {
    case 'put':
      return result.previous === undefined ? [] : [result.previous]
    case 'delete':
      return result.previous
    case 'txn':
      return result.result.results.flatMap(previousEntries)
    case 'range':
      return []
  }
}
