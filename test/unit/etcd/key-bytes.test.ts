import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { keyFromBytes, keyToBytes } from '../../../src/etcd/key-bytes.ts'

describe('a key as text', () => {
  for (const { bytes, key } of [
    { bytes: '742fc3a9', key: 't/é' },
    { bytes: '742ff09f9880', key: 't/😀' },
    { bytes: '742f80', key: 't/\udc80' },
    { bytes: '742fffc3a9c3', key: 't/\udcffé\udcc3' },
    // A surrogate, an overlong slash and a cut sequence: none is UTF-8.
    { bytes: 'eda080', key: '\udced\udca0\udc80' },
    { bytes: 'c0af', key: '\udcc0\udcaf' },
    { bytes: 'f09f98', key: '\udcf0\udc9f\udc98' },
    { bytes: 'efbbbf61', key: '\ufeffa' },
  ]) {
    test(`${bytes} is ${JSON.stringify(key)}`, () => {
      assert.equal(keyFromBytes(Buffer.from(bytes, 'hex')), key)
      assert.equal(keyToBytes(key).toString('hex'), bytes)
    })
  }

  test('every sequence of bytes comes back', () => {
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0x80, 0xbf, 0xc3, 0xed, 0xf0, 0xf4))
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 12 }), (given) => {
        const bytes = Buffer.from(given)
        assert.deepEqual(keyToBytes(keyFromBytes(bytes)), bytes)
      }),
    )
  })

  test('what somebody types is sent as Node.js sends all text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (key) => {
        assert.deepEqual(keyToBytes(key), Buffer.from(key))
      }),
    )
    assert.equal(keyToBytes('a\ud800').toString(), 'a\ufffd')
  })
})
