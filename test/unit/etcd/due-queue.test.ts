import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DueQueue } from '../../../src/etcd/due-queue.ts'

test('a due queue gives what is due, the earliest first, each key at the time that was set last', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), key: fc.nat(9), dueMs: fc.nat(50) }),
    fc.record({ kind: fc.constant('delete' as const), key: fc.nat(9) }),
    fc.record({ kind: fc.constant('take' as const), nowMs: fc.nat(50) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new DueQueue<number>()
      const model = new Map<number, number>()
      for (const one of steps) {
        if (one.kind === 'set') {
          queue.set(one.key, one.dueMs)
          model.set(one.key, one.dueMs)
        } else if (one.kind === 'delete') {
          queue.delete(one.key)
          model.delete(one.key)
        } else {
          const taken = queue.takeDue(one.nowMs)
          const due = [...model.values()].filter((dueMs) => dueMs <= one.nowMs)
          if (taken === undefined) assert.equal(due.length, 0)
          else assert.equal(model.get(taken), Math.min(...due))
          if (taken !== undefined) model.delete(taken)
        }
      }
    }),
  )
})
