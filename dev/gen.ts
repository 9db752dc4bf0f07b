/**
 * `npm run gen`: writes the generated files (manifests/crds). `--check` writes nothing and fails when one of them is not what it
 * would write.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { crdManifests } from './crd-manifest.ts'

const directory = fileURLToPath(new URL('../manifests/crds/', import.meta.url))
const check = process.argv.includes('--check')

const wanted = crdManifests()
await mkdir(directory, { recursive: true })
const present = await readdir(directory)
const stale: string[] = []

for (const [name, content] of wanted) {
  const current = present.includes(name) ? await readFile(directory + name, 'utf8') : undefined
  if (current === content) continue
  stale.push(name)
  if (!check) await writeFile(directory + name, content)
}
for (const name of present.filter((name) => !wanted.has(name))) {
  stale.push(name)
  if (!check) await rm(directory + name)
}

for (const name of stale) console.log(`manifests/crds/${name} ${check ? 'is not up to date' : 'updated'}`)
if (check && stale.length > 0) {
  console.error('generated files are not up to date; run: npm run gen')
  process.exitCode = 1
}
