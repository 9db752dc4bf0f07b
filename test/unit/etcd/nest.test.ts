import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Op } from '../../../src/etcd/kv.ts'
import { depthWidth, nest } from '../../../src/etcd/nest.ts'

const puts = (count: number): readonly Op[] =>
  Array.from({ length: count }, (_, n): Op => ({ kind: 'put', key: String(n), value: '', lease: null }))

const flat = (ops: readonly Op[]): readonly Op[] =>
  ops.flatMap((op) => (op.kind === 'txn' ? flat(op.txn.success) : [op]))

describe('nest', () => {
  for (const [count, width, want] of [
    [0, 16, 0],
    [16, 16, 16],
    [17, 16, 18],
    [256, 16, 32],
    [4_096, 16, 48],
    [4_096, 64, 128],
  ] as const) {
    test(`${count} ops at most ${width} wide count ${want} for etcd`, () => {
      assert.equal(depthWidth({ compare: [], success: nest(puts(count), width), failure: [] }), want)
    })
  }

  test('it keeps every op and their order, and no level is wider than allowed', () => {
    fc.assert(
      fc.property(fc.nat(600), fc.integer({ min: 2, max: 20 }), (count, width) => {
        const ops = puts(count)
        const nested = nest(ops, width)
        assert.deepEqual(flat(nested), ops)
        const check = (level: readonly Op[]) => {
          assert.ok(level.length <= width)
          for (const op of level) if (op.kind === 'txn') check(op.txn.success)
        }
        check(nested)
      }),
    )
  })
})
