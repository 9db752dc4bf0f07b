import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { overlaps } from '../../../src/naming/key.ts'
import { ancestors, winningRival, type Claim } from '../../../src/plan/conflict.ts'

function claim(key: string, createdAt: string, incumbent = false): Claim {
  return { service: { key, createdAt, target: 't' }, incumbent }
}

describe('of several GrpcServices with one target', () => {
  const rows: readonly {
    readonly name: string
    readonly own: Claim
    readonly rivals: readonly Claim[]
    readonly want: string | null
  }[] = [
    {
      name: 'the incumbent wins over an older one',
      own: claim('a/a', '2020'),
      rivals: [claim('b/b', '2026', true)],
      want: 'b/b',
    },
    { name: 'else the oldest wins', own: claim('a/a', '2026'), rivals: [claim('b/b', '2020')], want: 'b/b' },
    {
      name: 'of the same age the first by name wins',
      own: claim('b/b', '2020'),
      rivals: [claim('a/a', '2020'), claim('c/c', '2020')],
      want: 'a/a',
    },
    { name: 'the winner has no rival', own: claim('a/a', '2020', true), rivals: [claim('b/b', '2020')], want: null },
  ]
  for (const { name, own, rivals, want } of rows) test(name, () => assert.equal(winningRival(own, rivals), want))

  test('exactly one wins, whoever asks', () => {
    const anyone = fc.record({
      key: fc.string({ minLength: 1 }),
      createdAt: fc.constantFrom('1', '2'),
      incumbent: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.uniqueArray(anyone, { selector: ({ key }) => key, minLength: 1, maxLength: 6 }), (all) => {
        const claims = all.map(({ key, createdAt, incumbent }) => claim(key, createdAt, incumbent))
        const winners = claims.filter(
          (own) =>
            winningRival(
              own,
              claims.filter((other) => other !== own),
            ) === null,
        )
        assert.equal(winners.length, 1)
      }),
    )
  })
})

test('two targets overlap when one is the other or among its ancestors', () => {
  const target = fc
    .array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 4 })
    .map((segments) => segments.join('/'))
  fc.assert(
    fc.property(target, target, (a, b) => {
      assert.equal(overlaps(a, b), a === b || ancestors(a).includes(b) || ancestors(b).includes(a))
    }),
  )
})
