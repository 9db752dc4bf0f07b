/** The sources keep the import rules of the architecture; each rule is shown to bite on a planted violation. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { importsOf, violationsOf } from '../support/import-rules.ts'

const src = fileURLToPath(new URL('../../src/', import.meta.url))

function sources(): Map<string, string> {
  const names = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return new Map(names.sort().map((name) => [name.replaceAll('\\', '/'), readFileSync(join(src, name), 'utf8')]))
}

test('the sources import only what the architecture allows, without cycles', () => {
  const files = sources()
  assert.ok(files.size > 10, 'the scanner found the sources')
  assert.deepEqual(violationsOf(files), [])
})

describe('a planted violation is reported', () => {
  const cases: readonly {
    readonly name: string
    readonly files: Record<string, string>
    readonly want: readonly string[]
  }[] = [
    {
      name: 'the plan reads a file',
      files: { 'plan/diff.ts': "import { readFileSync } from 'node:fs'" },
      want: ['plan/diff.ts: is pure and node:fs is not'],
    },
    {
      name: 'the plan reads the clock',
      files: { 'plan/diff.ts': 'export const late = () => Date.now() > 5' },
      want: ['plan/diff.ts: is pure and Date.now is not'],
    },
    {
      name: 'the plan imports a value of the store',
      files: { 'plan/txn.ts': "import { connect } from '../etcd/kv.ts'", 'etcd/kv.ts': '' },
      want: ['plan/txn.ts: plan may not import etcd/kv.ts'],
    },
    {
      name: 'the plan imports a type of the store',
      files: { 'plan/txn.ts': "import type { Txn } from '../etcd/kv.ts'", 'etcd/kv.ts': '' },
      want: [],
    },
    {
      name: 'pure naming imports the resolver',
      files: { 'naming/view.ts': "import { a } from './resolver.ts'", 'naming/resolver.ts': "import '@grpc/grpc-js'" },
      want: ['naming/view.ts: is pure and naming/resolver.ts is not'],
    },
    {
      name: 'naming needs Kubernetes',
      files: { 'naming/key.ts': "export { a } from '../crds/a.ts'", 'crds/a.ts': '' },
      want: ['naming/key.ts: naming may not import crds/a.ts'],
    },
    {
      name: 'an application would have to install pino for a type',
      files: {
        'naming/index.ts': "export { a } from './connection.ts'",
        'naming/connection.ts': "import '../etcd/link.ts'",
        'etcd/link.ts': "import type { Logger } from 'pino'",
      },
      want: ['etcd/link.ts: is part of the published library and pino is not for it'],
    },
    {
      name: 'the published library reaches the plan through etcd',
      files: {
        'naming/index.ts': "export { a } from '../etcd/committer.ts'",
        'etcd/committer.ts': "import '../plan/txn.ts'",
        'plan/txn.ts': '',
      },
      want: [
        'etcd/committer.ts: etcd may not import plan/txn.ts',
        'etcd/committer.ts: is part of the published library and ../plan/txn.ts is not for it',
      ],
    },
    {
      name: 'etcd knows the cluster',
      files: { 'etcd/mirror.ts': "import type {\n  Store,\n} from '../kube/store.ts'", 'kube/store.ts': '' },
      want: ['etcd/mirror.ts: etcd may not import types of kube/store.ts'],
    },
    {
      name: 'a second door to etcd3, opened late',
      files: { 'cli/list.ts': "const { Etcd3 } = await import('etcd3')" },
      want: ['cli/list.ts: etcd3 may be imported by etcd/client.ts only'],
    },
    {
      name: 'the runtime has domain words',
      files: { 'runtime/runner.ts': "import '../plan/a.ts'", 'plan/a.ts': '' },
      want: ['runtime/runner.ts: runtime may not import plan/a.ts'],
    },
    {
      name: 'two files need each other',
      files: { 'kube/a.ts': "import { b } from './b.ts'", 'kube/b.ts': "import type { A } from './a.ts'" },
      want: ['cycle: kube/a.ts → kube/b.ts → kube/a.ts'],
    },
    {
      name: 'a new folder without a rule',
      files: { 'helpers/a.ts': '' },
      want: ['helpers/a.ts: no rule for this place; see MAY_IMPORT'],
    },
  ]
  for (const { name, files, want } of cases) {
    test(name, () => assert.deepEqual(violationsOf(new Map(Object.entries(files))), want))
  }
})

test('an import in a comment is not an import', () => {
  const source = "/**\n * import { a } from 'etcd3'\n */\n// import 'undici'\nimport type { B } from './b.ts'\n"
  assert.deepEqual(importsOf(source), [{ specifier: './b.ts', typeOnly: true }])
})
