/**
 * The package as npm would publish it, in a directory of its own with nothing else but what its package.json asks for: what a user has after
 * `npm install grpc-etcd-operator @grpc/grpc-js`. Without a network: packages are copied from this checkout.
 */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'

import { z } from 'zod'

import { checkout } from '../../dev/tools/catalogue.ts'

const run = promisify(execFile)
const names = z.record(z.string(), z.string()).default({})
const manifestSchema = z.object({
  dependencies: names,
  peerDependencies: names,
  optionalDependencies: names,
})

export interface PackedPackage {
  /** A project with the package installed. */
  readonly directory: string
  /** Where the package was unpacked: `node_modules/grpc-etcd-operator`. */
  readonly root: string
  /** Names of the packages that it brought along. */
  readonly dependencies: readonly string[]
  remove(): void
}

/** @param extra packages of this checkout that the project has besides, e.g. `@types/node` */
export async function installPacked(extra: readonly string[] = []): Promise<PackedPackage> {
  const directory = mkdtempSync(join(tmpdir(), 'grpc-etcd-package-'))
  const root = join(directory, 'node_modules/grpc-etcd-operator')
  mkdirSync(root, { recursive: true })
  // `prepack` would build: `make test` has done that, and other tests run what lies in dist/ at this moment.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', directory], {
    cwd: checkout,
    env: { ...process.env, npm_config_loglevel: 'error' },
  })
  const [packed] = z.array(z.object({ filename: z.string() })).parse(JSON.parse(stdout))
  await run('tar', ['-xzf', join(directory, packed?.filename ?? ''), '-C', root, '--strip-components=1'])

  const wanted = dependenciesOf(root)
  const copied = new Set<string>()
  for (const name of [...wanted, ...extra]) copyWithDependencies(name, checkout, directory, copied)
  return {
    directory,
    root,
    dependencies: wanted,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

function dependenciesOf(packageDirectory: string): readonly string[] {
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')))
  return Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies })
}

/** As Node.js would find it from `from`, to the same place under `directory`. */
function copyWithDependencies(name: string, from: string, directory: string, copied: Set<string>): void {
  const source = resolvePackage(name, from)
  if (source === undefined || copied.has(source)) return
  copied.add(source)
  cpSync(source, join(directory, relative(checkout, source)), {
    recursive: true,
    filter: (path) => path !== join(source, 'node_modules'),
  })
  for (const dependency of dependenciesOf(source)) copyWithDependencies(dependency, source, directory, copied)
}

/** `undefined`: not installed, as optional ones of other platforms are. */
function resolvePackage(name: string, from: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return candidate
    if (directory === checkout) return undefined
  }
}
