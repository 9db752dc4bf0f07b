import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { LabelSelector } from '../../../src/crds/label-selector.ts'
import { anchors, matches, terms } from '../../../src/plan/selector.ts'

const cases: readonly {
  readonly name: string
  readonly selector: LabelSelector
  readonly labels: Readonly<Record<string, string>>
  readonly want: boolean
}[] = [
  {
    name: 'all matchLabels must be equal',
    selector: { matchLabels: { a: '1', b: '2' } },
    labels: { a: '1' },
    want: false,
  },
  {
    name: 'labels beyond the selector do no harm',
    selector: { matchLabels: { a: '1' } },
    labels: { a: '1', z: '9' },
    want: true,
  },
  { name: 'In', selector: expression('a', 'In', ['1', '2']), labels: { a: '2' }, want: true },
  { name: 'In needs the label', selector: expression('a', 'In', ['1']), labels: {}, want: false },
  { name: 'NotIn', selector: expression('a', 'NotIn', ['1']), labels: { a: '1' }, want: false },
  {
    name: 'NotIn matches where the label is absent',
    selector: expression('a', 'NotIn', ['1']),
    labels: {},
    want: true,
  },
  { name: 'Exists', selector: expression('a', 'Exists'), labels: { a: '' }, want: true },
  { name: 'DoesNotExist', selector: expression('a', 'DoesNotExist'), labels: { a: '' }, want: false },
  {
    name: 'a label called like a method of objects is a label',
    selector: expression('toString', 'Exists'),
    labels: {},
    want: false,
  },
]

function expression(
  key: string,
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist',
  values?: readonly string[],
): LabelSelector {
  return { matchExpressions: [{ key, operator, ...(values === undefined ? {} : { values }) }] }
}

describe('a label selector', () => {
  for (const { name, selector, labels, want } of cases) test(name, () => assert.equal(matches(selector, labels), want))

  test('is found by its anchors from every object that it matches', () => {
    const key = fc.constantFrom('a', 'b', 'c')
    const value = fc.constantFrom('', '1', '2')
    const labels = fc.dictionary(key, value)
    const requirement = fc.record({
      key,
      operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
      values: fc.array(value, { minLength: 1 }),
    })
    const selector = fc.record({ matchLabels: labels, matchExpressions: fc.array(requirement, { maxLength: 3 }) })
    fc.assert(
      fc.property(selector, labels, (given, carried) => {
        if (!matches(given, carried)) return
        const found = new Set(terms('demo', carried))
        assert.ok(anchors('demo', given).some((anchor) => found.has(anchor)))
        assert.ok(!anchors('other', given).some((anchor) => found.has(anchor)))
      }),
    )
  })
})
