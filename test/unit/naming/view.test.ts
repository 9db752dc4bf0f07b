/** The one view that list, watch and resolver share. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Entry } from '../../../src/etcd/kv.ts'
import { decodeEndpoint } from '../../../src/naming/endpoint.ts'
import type { DecodedEndpoint } from '../../../src/naming/endpoint.ts'
import { compareUtf8 } from '../../../src/naming/utf8.ts'
import { EndpointView } from '../../../src/naming/view.ts'
import type { WatchUpdate } from '../../../src/naming/view.ts'

const entry = (key: string, value: string): Entry => ({
  key,
  value: Buffer.from(value),
  lease: null,
  createRevision: 1,
  modRevision: 1,
})
const entries = (values: Readonly<Record<string, string>>): ReadonlyMap<string, Entry> =>
  new Map(Object.entries(values).map(([key, value]) => [key, entry(key, value)]))

const A = '{"Op":0,"Addr":"a:1","Metadata":null}'
const a: DecodedEndpoint = { addr: 'a:1', metadata: null }

describe('a view of a target', () => {
  interface Step {
    readonly name: string
    readonly before: Readonly<Record<string, string>>
    readonly after: Readonly<Record<string, string>>
    readonly want: readonly WatchUpdate[]
    readonly skipped?: readonly string[]
  }
  const steps: readonly Step[] = [
    { name: 'a new key is added', before: {}, after: { x: A }, want: [{ op: 'add', key: 'x', endpoint: a }] },
    { name: 'a key that is gone is deleted', before: { x: A }, after: {}, want: [{ op: 'delete', key: 'x' }] },
    {
      name: 'a key that was written again with the same bytes is no change',
      before: { x: A },
      after: { x: A },
      want: [],
    },
    {
      name: 'a changed metadata is an add',
      before: { x: A },
      after: { x: A.replace('null', '"b"') },
      want: [{ op: 'add', key: 'x', endpoint: { addr: 'a:1', metadata: 'b' } }],
    },
    {
      name: 'garbage over an endpoint deletes it',
      before: { x: A },
      after: { x: 'garbage' },
      want: [{ op: 'delete', key: 'x' }],
      skipped: ['x'],
    },
    { name: 'a key that begins as garbage is none', before: {}, after: { x: '[]' }, want: [], skipped: ['x'] },
    {
      name: 'garbage that is written over is an endpoint again',
      before: { x: '' },
      after: { x: A },
      want: [{ op: 'add', key: 'x', endpoint: a }],
    },
    { name: 'garbage that goes is nothing', before: { x: 'garbage' }, after: {}, want: [] },
  ]
  for (const { name, before, after, want, skipped = [] } of steps) {
    test(name, () => {
      const view = new EndpointView()
      view.apply(entries(before), ['x'])
      const result = view.apply(entries(after), ['x'])
      assert.deepEqual(result.updates, want)
      assert.deepEqual(
        result.skipped.map(({ key }) => key),
        skipped,
      )
    })
  }

  test('tells the whole set in the order of the keys, by bytes', () => {
    const view = new EndpointView()
    const keys = ['foo/\u{1f600}', 'foo/b', 'foo/\uffee', 'foo/a']
    view.apply(entries(Object.fromEntries(keys.map((key) => [key, A]))), keys)
    assert.deepEqual(
      view.snapshot().map(({ key }) => key),
      ['foo/a', 'foo/b', 'foo/\uffee', 'foo/\u{1f600}'],
    )
  })

  const key = fc.constantFrom('foo/', 'foo/a', 'foo/b', 'foo/é', 'foo/\u{1f600}')
  const value = fc.constantFrom(A, A.replace('a:1', 'b:1'), '{}', 'null', '', '[]', 'garbage', `${A}x`, '{"Addr":1}')
  const revisions = fc.array(fc.dictionary(key, fc.option(value, { nil: null })), { maxLength: 20 })

  test('holds what the last entries decode to, and its updates lead a reader there, whatever came in between', () => {
    fc.assert(
      fc.property(revisions, (given) => {
        const stored = new Map<string, Entry>()
        const view = new EndpointView()
        const reader = new Map<string, DecodedEndpoint>()
        for (const changes of given) {
          for (const [each, put] of Object.entries(changes)) {
            if (put === null) stored.delete(each)
            else stored.set(each, entry(each, put))
          }
          for (const update of view.apply(stored, Object.keys(changes)).updates) {
            if (update.op === 'add') {
              reader.set(update.key, update.endpoint)
              continue
            }
            assert.ok(reader.delete(update.key), 'only what was added is deleted')
          }
        }
        const want = [...stored]
          .sort(([x], [y]) => compareUtf8(x, y))
          .flatMap(([each, { value: bytes }]) => {
            const decoded = decodeEndpoint(bytes)
            return decoded.ok ? [{ op: 'add' as const, key: each, endpoint: decoded.endpoint }] : []
          })
        assert.deepEqual(view.snapshot(), want)
        assert.deepEqual(reader, new Map(want.map((add) => [add.key, add.endpoint])))
        assert.equal(view.size, want.length)
        assert.equal([...view.endpoints()].length, want.length)
      }),
    )
  })
})
