import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Entry, KvEvent } from '../../../src/etcd/kv.ts'
import { ObservedRange } from '../../../src/etcd/observed-range.ts'

const entry = (key: string, modRevision: number, value = String(modRevision)): Entry => ({
  key,
  value: Buffer.from(value),
  lease: null,
  createRevision: modRevision,
  modRevision,
})
const putEvent = (key: string, revision: number): KvEvent => ({ kind: 'put', entry: entry(key, revision) })
const deleteEvent = (key: string, modRevision: number): KvEvent => ({ kind: 'delete', key, modRevision })
const own = (revision: number, puts: readonly string[], deletes: readonly string[], guarded = true) => ({
  revision,
  puts: puts.map((key) => ({ key, value: String(revision), lease: null })),
  deletes,
  guarded,
})

describe('an observed range', () => {
  test('tells only what a second read shows to be different', () => {
    const range = new ObservedRange()
    assert.deepEqual(range.read([entry('a', 1), entry('b', 2), entry('c', 3)], 3), ['a', 'b', 'c'])
    assert.deepEqual(range.read([entry('a', 1), entry('b', 5), entry('d', 6)], 6), ['b', 'd', 'c'])
    assert.equal(range.observed, 6)
  })

  test('keeps what we committed after the read was made', () => {
    const range = new ObservedRange()
    range.read([entry('gone', 1)], 3)
    range.committed(own(5, ['new'], ['gone']))
    assert.deepEqual(range.read([entry('gone', 1)], 4), [])
    assert.deepEqual([...range.entries.keys()], ['new'])
  })

  test('a late reply to our commit brings nothing back that the watch has seen go since', () => {
    const range = new ObservedRange()
    range.read([], 3)
    range.watched([putEvent('a', 5), deleteEvent('a', 6)], 6)
    range.committed(own(5, ['a'], []))
    assert.deepEqual([...range.entries.keys()], [])
  })

  test('an older event undoes neither our put nor our delete; a newer one does', () => {
    const range = new ObservedRange()
    range.read([entry('x', 1)], 1)
    range.committed(own(5, ['y'], ['x']))
    assert.deepEqual(range.watched([putEvent('x', 3), deleteEvent('y', 4)], 4), [])
    assert.deepEqual([...range.entries.keys()], ['y'])
    assert.deepEqual(range.watched([putEvent('x', 6), deleteEvent('y', 6)], 6), ['x', 'y'])
  })

  test('only a commit whose guard saw the whole range moves observed', () => {
    const range = new ObservedRange()
    range.read([], 3)
    range.committed(own(5, ['a'], [], false))
    assert.equal(range.observed, 3)
    range.committed(own(6, ['b'], []))
    assert.equal(range.observed, 6)
  })

  test('after another store answered, its lower revisions count', () => {
    const range = new ObservedRange()
    range.read([entry('a', 90), entry('b', 91)], 100)
    range.forgetRevisions()
    assert.deepEqual([...range.entries.keys()], ['a', 'b'])
    assert.deepEqual(range.read([entry('a', 2)], 3), ['a', 'b'])
    assert.equal(range.observed, 3)
  })

  test('in whatever order own commits and the watch come, the end is the same', () => {
    const keys = ['a', 'b', 'c']
    const change = fc.record({ key: fc.constantFrom(...keys), put: fc.boolean(), ours: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), fc.array(fc.nat(20), { maxLength: 20 }), (changes, early) => {
        const model = new Map<string, number>()
        const range = new ObservedRange()
        range.read([], 0)
        // Our commits come at their time or up to 20 changes before the watch repeats them.
        const commits = changes.flatMap(({ key, put, ours }, index) =>
          ours
            ? [
                {
                  at: Math.max(0, index - (early[index] ?? 0)),
                  commit: own(index + 1, put ? [key] : [], put ? [] : [key], false),
                },
              ]
            : [],
        )
        for (const [index, { key, put }] of changes.entries()) {
          for (const { at, commit } of commits) if (at === index) range.committed(commit)
          range.watched([put ? putEvent(key, index + 1) : deleteEvent(key, index + 1)], index + 1)
          if (put) model.set(key, index + 1)
          else model.delete(key)
        }
        const found = new Map([...range.entries].map(([key, { modRevision }]) => [key, modRevision]))
        assert.deepEqual(found, model)
      }),
    )
  })
})
