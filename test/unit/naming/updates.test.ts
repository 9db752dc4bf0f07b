/** From a caller's updates to one Txn: what is sent, and what is refused before. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { InvalidArgumentError } from '../../../src/errors.ts'
import type { Entry, Op } from '../../../src/etcd/kv.ts'
import { depthWidth } from '../../../src/etcd/nest.ts'
import { UnsupportedValueError } from '../../../src/naming/json-encode.ts'
import { opsOf, previousOf } from '../../../src/naming/updates.ts'
import type { Update } from '../../../src/naming/updates.ts'

const add = (key: string, addr = 'a:1'): Update => ({ op: 'add', key, endpoint: { addr } })
const remove = (key: string): Update => ({ op: 'delete', key })
const VALUE = '{"Op":0,"Addr":"a:1","Metadata":null}'

/** As a caller without types may write it. */
function untyped(update: object): Update {
  return JSON.parse(JSON.stringify(update))
}

function flat(ops: readonly Op[]): readonly Op[] {
  return ops.flatMap((op) => (op.kind === 'txn' ? flat(op.txn.success) : [op]))
}

function keysOf(ops: readonly Op[]): readonly string[] {
  return flat(ops).map((op) => (op.kind === 'put' || op.kind === 'delete' ? op.key : ''))
}

describe('updates become one Txn', () => {
  const cases: readonly { readonly name: string; readonly given: readonly Update[]; readonly want: readonly Op[] }[] = [
    { name: 'no update is no operation', given: [], want: [] },
    {
      name: 'an add is a put without a lease',
      given: [add('foo/a')],
      want: [{ kind: 'put', key: 'foo/a', value: VALUE, lease: null, prevKv: false }],
    },
    {
      name: 'a delete is of one key, whatever else is asked for',
      given: [untyped({ ...remove('foo/a'), rangeEnd: 'foo0', lease: 'a' })],
      want: [{ kind: 'delete', key: 'foo/a', prevKv: false }],
    },
    {
      name: 'the previous value is asked for on request',
      given: [
        { op: 'add', key: 'foo/a', endpoint: { addr: 'a:1' }, prevValue: true },
        { op: 'delete', key: 'foo/b', prevValue: true },
      ],
      want: [
        { kind: 'put', key: 'foo/a', value: VALUE, lease: null, prevKv: true },
        { kind: 'delete', key: 'foo/b', prevKv: true },
      ],
    },
    {
      name: 'of several updates of one key the last counts, at its place',
      given: [remove('foo/a'), add('foo/b'), add('foo/a')],
      want: [
        { kind: 'put', key: 'foo/b', value: VALUE, lease: null, prevKv: false },
        { kind: 'put', key: 'foo/a', value: VALUE, lease: null, prevKv: false },
      ],
    },
    {
      name: 'the target with its slash alone is a key, as in Go',
      given: [remove('foo/')],
      want: [{ kind: 'delete', key: 'foo/', prevKv: false }],
    },
  ]
  for (const { name, given, want } of cases) {
    test(name, () => {
      assert.deepEqual(opsOf('foo', given), want)
    })
  }

  const leases: readonly { readonly given: string | bigint | undefined; readonly want: string | null }[] = [
    { given: undefined, want: null },
    { given: '694d81417acd4b11', want: '694d81417acd4b11' },
    { given: '00ab', want: 'ab' },
    { given: 0x694d81417acd4b11n, want: '694d81417acd4b11' },
    // etcd counts in int64: an ID may be negative.
    { given: -1n, want: 'ffffffffffffffff' },
    { given: 0n, want: null },
    { given: '0', want: null },
  ]
  for (const { given, want } of leases) {
    test(`lease ${typeof given === 'bigint' ? `${given}n` : JSON.stringify(given)} is ${JSON.stringify(want)}`, () => {
      const [op] = opsOf('foo', [{ op: 'add', key: 'foo/a', endpoint: { addr: 'a:1' }, lease: given }])
      assert.equal(op?.kind === 'put' && op.lease, want)
    })
  }
  for (const given of ['', 'xyz', 'AB', '12345678901234567', '-1', '0x1']) {
    test(`lease ${JSON.stringify(given)} is refused`, () => {
      assert.throws(
        () => opsOf('foo', [{ op: 'add', key: 'foo/a', endpoint: { addr: 'a:1' }, lease: given }]),
        InvalidArgumentError,
      )
    })
  }

  test('any number of updates is one Txn that etcd takes, each key once, in the order of the last updates', () => {
    const key = fc.nat(3_000).map((n) => `foo/${n}`)
    const updates = fc.array(
      key.chain((each) => fc.constantFrom(add(each), remove(each))),
      { maxLength: 2_000, size: 'max' },
    )
    fc.assert(
      fc.property(updates, (given) => {
        const ops = opsOf('foo', given)
        assert.ok(depthWidth({ compare: [], success: ops, failure: [] }) <= 128)
        const last = [...new Set(given.map((each) => each.key).reverse())].reverse()
        assert.deepEqual(keysOf(ops), last)
        const kinds = new Map(given.map(({ key: each, op }) => [each, op === 'add' ? 'put' : 'delete']))
        for (const op of flat(ops)) assert.equal(op.kind, 'key' in op && kinds.get(op.key))
      }),
      { numRuns: 50 },
    )
  })

  for (const { count, width } of [
    { count: 128, width: 128 },
    { count: 129, width: 4 + 42 },
    { count: 42 ** 3, width: 3 * 42 },
  ]) {
    test(`${count} updates are ${width} wide, as etcd counts`, () => {
      const ops = opsOf(
        'foo',
        Array.from({ length: count }, (_, n) => remove(`foo/${n}`)),
      )
      assert.equal(depthWidth({ compare: [], success: ops, failure: [] }), width)
    })
  }
})

describe('the first wrong update is thrown, in the words of Go', () => {
  const unsupported: Update = { op: 'add', key: 'foo/a', endpoint: { addr: 'a:1', metadata: NaN } }
  const badKey = "endpoints: endpoint key should be prefixed with 'foo/' got: 'bar'"
  const badOp = 'endpoints: bad update op'
  const cases: readonly {
    readonly name: string
    readonly given: readonly Update[]
    readonly want: { readonly message: string; readonly code: string }
  }[] = [
    { name: 'a key elsewhere', given: [add('bar')], want: { message: badKey, code: 'invalid-argument' } },
    {
      name: 'the target itself',
      given: [remove('foo')],
      want: { message: badKey.replace('bar', 'foo'), code: 'invalid-argument' },
    },
    {
      name: 'a neighbour that begins alike',
      given: [remove('foo_other/a')],
      want: { message: badKey.replace('bar', 'foo_other/a'), code: 'invalid-argument' },
    },
    {
      name: 'another op',
      given: [untyped({ op: 'put', key: 'foo/a' })],
      want: { message: badOp, code: 'invalid-argument' },
    },
    { name: 'no op', given: [untyped({ key: 'foo/a' })], want: { message: badOp, code: 'invalid-argument' } },
    {
      name: 'metadata without a JSON form',
      given: [unsupported],
      want: { message: 'json: unsupported value: NaN', code: 'unsupported-value' },
    },
    {
      name: 'a wrong key before a wrong op in one update',
      given: [untyped({ op: 'put', key: 'bar' })],
      want: { message: badKey, code: 'invalid-argument' },
    },
    {
      name: 'a wrong key before a wrong value in one update',
      given: [{ ...unsupported, key: 'bar' }],
      want: { message: badKey, code: 'invalid-argument' },
    },
    {
      name: 'the first of three',
      given: [add('foo/a'), unsupported, remove('bar')],
      want: { message: 'json: unsupported value: NaN', code: 'unsupported-value' },
    },
    {
      name: 'a wrong one that a later one of its key would replace',
      given: [unsupported, remove('foo/a')],
      want: { message: 'json: unsupported value: NaN', code: 'unsupported-value' },
    },
  ]
  for (const { name, given, want } of cases) {
    test(name, () => {
      assert.throws(
        () => opsOf('foo', given),
        (error) => error instanceof InvalidArgumentError || error instanceof UnsupportedValueError,
      )
      assert.throws(() => opsOf('foo', given), want)
    })
  }
})

describe('previous values', () => {
  const entry = (key: string, value: string): Entry => ({
    key,
    value: Buffer.from(value),
    lease: null,
    createRevision: 1,
    modRevision: 1,
  })

  test('are found on every level, and what was no endpoint is left out', () => {
    const previous = previousOf([
      { kind: 'put' },
      { kind: 'put', previous: entry('foo/a', VALUE) },
      { kind: 'put', previous: entry('foo/garbage', 'garbage') },
      {
        kind: 'txn',
        result: {
          succeeded: true,
          results: [
            { kind: 'delete', deleted: 1, previous: [entry('foo/b', '{"Addr":"b:1"}')] },
            { kind: 'delete', deleted: 0, previous: [] },
          ],
        },
      },
    ])
    assert.deepEqual(
      [...previous],
      [
        ['foo/a', { addr: 'a:1', metadata: null }],
        ['foo/b', { addr: 'b:1', metadata: null }],
      ],
    )
  })
})
