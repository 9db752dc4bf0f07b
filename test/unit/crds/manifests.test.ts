/** The generated CRDs: fresh, and within the API conventions that a server does not check. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { crdManifests } from '../../../dev/crd-manifest.ts'

const directory = fileURLToPath(new URL('../../../manifests/crds/', import.meta.url))

test('manifests/crds is what `npm run gen` writes', () => {
  assert.deepEqual(readdirSync(directory).toSorted(), [...crdManifests().keys()].toSorted())
  for (const [name, content] of crdManifests())
    assert.equal(readFileSync(directory + name, 'utf8'), content, `${name}: run npm run gen`)
})

interface Node {
  readonly path: string
  readonly schema: ReadonlyMap<string, unknown>
  /** Inside a list's items or an atomic map. */
  readonly atomic: boolean
}

function nodes(value: unknown, path: string, atomic: boolean): readonly Node[] {
  const schema = new Map<string, unknown>(Object.entries(Object(value)))
  const inner = atomic || schema.get('x-kubernetes-map-type') === 'atomic'
  const properties = Object.entries(Object(schema.get('properties'))).flatMap(([name, child]) =>
    nodes(child, `${path}.${name}`, inner),
  )
  const items = schema.has('items') ? nodes(schema.get('items'), `${path}[]`, true) : []
  return [{ path, schema, atomic }, ...properties, ...items]
}

describe('in the CRDs', () => {
  const all = [...crdManifests()].flatMap(([name, manifest]) => {
    const [version] = parse(manifest).spec.versions
    const { spec, status } = version.schema.openAPIV3Schema.properties
    return [...nodes(spec, `${name}: spec`, false), ...nodes(status, `${name}: status`, false)]
  })
  const rules: readonly { name: string; broken: (node: Node) => boolean }[] = [
    {
      name: 'every string is bounded',
      broken: ({ schema }) => schema.get('type') === 'string' && !schema.has('maxLength') && !schema.has('enum'),
    },
    {
      name: 'every integer of a spec is bounded',
      broken: ({ schema, path }) =>
        schema.get('type') === 'integer' &&
        !(schema.has('minimum') && (schema.has('maximum') || path.includes('bservedGeneration'))),
    },
    {
      name: 'every list is bounded and has a list type',
      broken: ({ schema }) =>
        schema.get('type') === 'array' && !(schema.has('maxItems') && schema.has('x-kubernetes-list-type')),
    },
    {
      name: 'no default stands inside a list or an atomic map, which would make GitOps tools see a difference for ever',
      broken: ({ schema, atomic }) => atomic && schema.has('default'),
    },
    {
      name: 'every field has a description that is a sentence',
      broken: ({ schema }) => !String(schema.get('description')).endsWith('.'),
    },
  ]
  for (const { name, broken } of rules) {
    test(name, () => {
      assert.deepEqual(
        all.filter(broken).map(({ path }) => path),
        [],
      )
    })
  }
})
