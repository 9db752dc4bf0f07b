import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { decodeEndpoint } from '../../../src/naming/endpoint.ts'
import { decodeRecord, encodeRecord, recordKey } from '../../../src/plan/record.ts'

const statePrefix = '_grpcetcd/default/'
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function stored(value: Uint8Array, uid = 'u') {
  return { key: recordKey(statePrefix, uid), value, lease: null, createRevision: 1, modRevision: 7 }
}

describe('a Record', () => {
  const record = {
    leases: [{ id: '694d81417acd4b11', ttlSeconds: 600 }],
    target: 'payments/ledger',
    service: 'payments/ledger',
  }

  test('has the stable format that every version reads', () => {
    assert.equal(encodeRecord(record), '[1,["694d81417acd4b11"],"payments/ledger","payments/ledger",[600]]')
  })

  test('reads back as it was written', () => {
    assert.deepEqual(decodeRecord(statePrefix, stored(bytes(encodeRecord(record)))), {
      ...record,
      uid: 'u',
      modRevision: 7,
    })
  })

  test('of a later format gives its leases all the same', () => {
    const later = bytes('[2,["a1"],"t","n/s",{"new":true},"more"]')
    assert.deepEqual(decodeRecord(statePrefix, stored(later))?.leases, [{ id: 'a1', ttlSeconds: 0 }])
  })

  test('can not be taken for an endpoint by a naming client', () => {
    assert.equal(decodeEndpoint(bytes(encodeRecord(record))).ok, false)
  })

  test('that is none is refused, whatever it holds', () => {
    for (const value of [
      '',
      'null',
      '{}',
      '[]',
      '[1]',
      '[1,[1],"t","s"]',
      '[1,["0"],"t","s"]',
      '[1,["XYZ"],"t","s"]',
      '[1,["a"],5,"s"]',
    ]) {
      assert.equal(decodeRecord(statePrefix, stored(bytes(value))), null, value)
    }
    fc.assert(fc.property(fc.uint8Array(), (value) => void decodeRecord(statePrefix, stored(value))))
    assert.equal(decodeRecord(statePrefix, stored(bytes(encodeRecord(record)), '')), null)
  })
})
