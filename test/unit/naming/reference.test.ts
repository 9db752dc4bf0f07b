/** What the public API of the library owes its reader; the page itself is held fresh by `node dev/gen.ts --check`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { declarations } from '../../../dev/declarations.ts'
import { referencePage } from '../../../dev/reference.ts'

describe('the public API of grpc-etcd-operator/naming', () => {
  const all = declarations()

  test('has a docstring on everything that it exports', () => {
    assert.deepEqual(
      all.filter(({ doc }) => doc === '').map(({ name, source }) => `${source}: ${name}`),
      [],
    )
  })

  test('names no type that a user can not import', () => {
    assert.deepEqual(
      all.filter(({ hidden }) => hidden.length > 0).map(({ name, hidden }) => `${name} names ${hidden.join(', ')}`),
      [],
    )
  })

  test('is on the reference page, each name under its own heading', () => {
    const headings = new Set(referencePage(all).match(/(?<=^### ).+$/gm))
    assert.deepEqual(headings, new Set(all.map(({ name }) => name)))
  })
})
