import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { prefixEnd, prefixRange } from '../../../src/etcd/kv.ts'

describe('prefixEnd', () => {
  for (const [prefix, want] of [
    ['a/', 'a0'],
    ['a', 'b'],
    ['é', 'ê'],
    ['\u07ff', '\u0800'],
    ['\ud7ff', '\ue000'],
    ['a\u{10ffff}', 'b'],
    ['\u{10ffff}', '\0'],
    ['', '\0'],
  ] as const) {
    test(`of ${JSON.stringify(prefix)} is ${JSON.stringify(want)}`, () => {
      assert.equal(prefixEnd(prefix), want)
    })
  }

  test('a key lies in the range of a prefix exactly when it begins with it, in the order of bytes', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(text, text, fc.boolean(), (prefix, other, below) => {
        const key = Buffer.from(below ? prefix + other : other)
        const { key: from, rangeEnd } = prefixRange(prefix)
        const end = rangeEnd === '\0' ? null : Buffer.from(rangeEnd ?? '')
        const inRange = key.compare(Buffer.from(from)) >= 0 && (end === null || key.compare(end) < 0)
        assert.equal(inRange, key.subarray(0, Buffer.byteLength(prefix)).equals(Buffer.from(prefix)))
      }),
    )
  })
})
