/**
 * `npm run gen`: writes the generated files (manifests/crds, docs/reference/naming.md). `--check` writes nothing and fails when one of
 * them is not what it would write.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { crdManifests } from './crd-manifest.ts'
import { declarations } from './declarations.ts'
import { referencePage } from './reference.ts'
import { checkout } from './tools/catalogue.ts'

const CRDS = 'manifests/crds'
const check = process.argv.includes('--check')
const stale: string[] = []

const wanted = new Map([['docs/reference/naming.md', referencePage(declarations())]])
for (const [name, content] of crdManifests()) wanted.set(`${CRDS}/${name}`, content)

for (const [name, content] of wanted) {
  const file = join(checkout, name)
  if (existsSync(file) && readFileSync(file, 'utf8') === content) continue
  stale.push(name)
  if (check) continue
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
}
// What is no longer generated must not be installed any more either.
for (const name of existsSync(join(checkout, CRDS)) ? readdirSync(join(checkout, CRDS)) : []) {
  if (wanted.has(`${CRDS}/${name}`)) continue
  stale.push(`${CRDS}/${name}`)
  if (!check) rmSync(join(checkout, CRDS, name))
}

for (const name of stale) console.log(`${name} ${check ? 'is not up to date' : 'updated'}`)
if (check && stale.length > 0) {
  console.error('generated files are not up to date; run: npm run gen')
  process.exitCode = 1
}
