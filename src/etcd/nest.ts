/**
 * Many ops in one Txn: etcd allows `maxTxnOps` (128 by default) as the sum of the widths along any path of nested Txns, not in all, so a
 * tree holds far more than that in one revision (S7). Pure.
 */
import type { Op, Txn } from './kv.ts'

/** The same ops in the same order, at most `width` (2 or more) on each level. */
export function nest(ops: readonly Op[], width: number): readonly Op[] {
  if (ops.length <= width) return ops
  const groups: Op[] = []
  for (let start = 0; start < ops.length; start += width) {
    groups.push({ kind: 'txn', txn: { compare: [], success: ops.slice(start, start + width), failure: [] } })
  }
  return nest(groups, width)
}

/** What etcd counts: the widest level sum of any path. */
export function depthWidth({ compare, success, failure }: Txn): number {
  let below = 0
  for (const op of success) if (op.kind === 'txn') below = Math.max(below, depthWidth(op.txn))
  for (const op of failure) if (op.kind === 'txn') below = Math.max(below, depthWidth(op.txn))
  return Math.max(compare.length, success.length, failure.length) + below
}
