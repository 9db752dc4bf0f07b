import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { InvariantError } from '../../../src/errors.ts'
import { Store, type Change } from '../../../src/kube/store.ts'

interface Item {
  readonly key: string
  readonly uid: string
  readonly resourceVersion: string
  readonly tags: readonly string[]
}

function item(key: string, uid: string, resourceVersion: string, tags: readonly string[] = []): Item {
  return Object.freeze({ key, uid, resourceVersion, tags: Object.freeze(tags) })
}

function setOf(...items: readonly Item[]): ReadonlyMap<string, Item> {
  return new Map(items.map((each) => [each.key, each]))
}

function recorded(): { readonly store: Store<Item>; readonly told: Change<Item>[] } {
  const store = new Store<Item>({ tag: ({ tags }) => tags })
  const told: Change<Item>[] = []
  store.subscribe((change) => {
    // A listener sees the store as it is after the change.
    const key = (change.after ?? change.before)?.key ?? ''
    assert(change.after === undefined || store.get(key) === change.after)
    told.push(change)
  })
  return { store, told }
}

describe('a store', () => {
  const a1 = item('ns/a', 'u1', '1', ['x'])
  const a2 = item('ns/a', 'u1', '2', ['y'])
  const other = item('ns/a', 'u2', '3', ['x'])
  const b1 = item('ns/b', 'u3', '1', ['x', 'y'])

  it('is not ready before a set is complete, and an empty set is one', () => {
    const { store, told } = recorded()
    assert.deepEqual([store.ready, store.resourceVersion], [false, undefined])
    store.replace(new Map(), '5')
    assert.deepEqual([store.ready, store.resourceVersion, store.size, told.length], [true, '5', 0, 0])
  })

  it('is ready, and shows the whole set, when the first change of it is told', () => {
    const store = new Store<Item>()
    const seen: unknown[] = []
    store.subscribe(() => seen.push([store.ready, store.size, store.resourceVersion]))
    store.replace(setOf(a1, b1), '5')
    assert.deepEqual(seen, [
      [true, 2, '5'],
      [true, 2, '5'],
    ])
  })

  const cases: readonly {
    name: string
    act: (store: Store<Item>) => void
    want: readonly Change<Item>[]
    version: string
  }[] = [
    {
      name: 'tells an addition',
      act: (store) => store.apply(b1),
      want: [{ before: undefined, after: b1 }],
      version: '1',
    },
    { name: 'tells a change', act: (store) => store.apply(a2), want: [{ before: a1, after: a2 }], version: '2' },
    {
      name: 'does not tell the same version again',
      act: (store) => store.apply(item('ns/a', 'u1', '1')),
      want: [],
      version: '1',
    },
    {
      name: 'tells another object of the same name as a deletion and an addition',
      act: (store) => store.apply(other),
      want: [
        { before: a1, after: undefined },
        { before: undefined, after: other },
      ],
      version: '3',
    },
    {
      name: 'tells a deletion',
      act: (store) => store.remove('ns/a', '8'),
      want: [{ before: a1, after: undefined }],
      version: '8',
    },
    {
      name: 'does not tell the deletion of what it never had',
      act: (store) => store.remove('ns/z', '8'),
      want: [],
      version: '8',
    },
    { name: 'moves on without a change', act: (store) => store.advance('9'), want: [], version: '9' },
    {
      name: 'tells only the differences of a new set',
      act: (store) => store.replace(setOf(a1), '9'),
      want: [],
      version: '9',
    },
    {
      name: 'tells what a new set lacks and what it adds',
      act: (store) => store.replace(setOf(b1), '9'),
      want: [
        { before: a1, after: undefined },
        { before: undefined, after: b1 },
      ],
      version: '9',
    },
    {
      name: 'tells another object of the same name in a new set as two changes',
      act: (store) => store.replace(setOf(other), '9'),
      want: [
        { before: a1, after: undefined },
        { before: undefined, after: other },
      ],
      version: '9',
    },
  ]
  for (const { name, act, want, version } of cases) {
    it(name, () => {
      const { store, told } = recorded()
      store.replace(setOf(a1), '1')
      told.length = 0
      act(store)
      assert.deepEqual([told, store.resourceVersion], [want, version])
    })
  }

  it('keeps the record that it has when a new set brings the same version', () => {
    const { store } = recorded()
    store.replace(setOf(a1), '1')
    store.replace(setOf(item('ns/a', 'u1', '1')), '2')
    assert.equal(store.get('ns/a'), a1)
  })

  it('does not tell a listener that has left', () => {
    const store = new Store<Item>()
    const leave = store.subscribe(() => assert.fail('told'))
    leave()
    store.replace(setOf(a1), '1')
  })

  it('refuses an index that it does not have', () => {
    assert.throws(() => new Store<Item>().byIndex('tag', 'x'), InvariantError)
  })

  const tags = fc.uniqueArray(fc.constantFrom('x', 'y', 'z'), { maxLength: 2 })
  const items = fc
    .tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('u1', 'u2'), fc.constantFrom('1', '2', '3'), tags)
    .map(([key, uid, version, all]) => item(key, uid, `${version}.${all.join()}`, all))
  const actions = fc.oneof(
    fc.record({ kind: fc.constant('apply' as const), item: items }),
    fc.record({ kind: fc.constant('remove' as const), item: items }),
    fc.record({ kind: fc.constant('replace' as const), items: fc.array(items) }),
  )

  it('tells exactly the changes that lead to what it shows, and its indexes show the same', () => {
    fc.assert(
      fc.property(fc.array(actions), (all) => {
        const store = new Store<Item>({ tag: (record) => record.tags })
        const replica = new Map<string, Item>()
        store.subscribe(({ before, after }) => {
          assert(before !== undefined || after !== undefined)
          if (before !== undefined) {
            assert.equal(replica.get(before.key), before)
            replica.delete(before.key)
          }
          if (after !== undefined) {
            assert(before === undefined || before.uid === after.uid)
            assert(!replica.has(after.key))
            replica.set(after.key, after)
          }
        })
        store.replace(new Map(), '0')
        for (const action of all) {
          if (action.kind === 'apply') store.apply(action.item)
          else if (action.kind === 'remove') store.remove(action.item.key, action.item.resourceVersion)
          else store.replace(setOf(...action.items), '1')
          assert.deepEqual(new Set(store.values()), new Set(replica.values()))
          for (const tag of ['x', 'y', 'z']) {
            const expected = [...replica.values()].filter((each) => each.tags.includes(tag))
            assert.deepEqual(new Set(store.byIndex('tag', tag)), new Set(expected))
          }
        }
      }),
    )
  })
})
