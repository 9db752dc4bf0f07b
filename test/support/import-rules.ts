/**
 * Who may import whom under src/, as data, and the scanner that holds the sources to it. The rules are those of the architecture:
 * a pure core in the middle, adapters that do not know each other, one place for each foreign package.
 */
import { posix } from 'node:path'

export interface Import {
  /** As written, e.g. `../errors.ts` or `node:fs`. */
  readonly specifier: string
  readonly typeOnly: boolean
}

/** What the files of a folder may import from our own code beside their folder. `types:` allows types only. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'version.ts': [],
  config: ['errors.ts'],
  'config.ts': ['config'],
  crds: ['naming'],
  naming: ['errors.ts', 'etcd', 'runtime'],
  plan: ['crds', 'naming', 'types:etcd/kv.ts'],
  runtime: [],
  etcd: ['errors.ts', 'runtime'],
  kube: ['errors.ts', 'runtime', 'crds'],
  controllers: ['errors.ts', 'version.ts', 'runtime', 'crds', 'naming', 'plan', 'etcd', 'kube', 'types:config.ts'],
  cli: [
    'errors.ts',
    'config.ts',
    'config',
    'version.ts',
    'runtime',
    'crds',
    'naming',
    'plan',
    'etcd',
    'kube',
    'controllers',
  ],
  'main.ts': ['errors.ts', 'config', 'version.ts', 'cli'],
}

/** Packages with one door: where they may be imported. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  etcd3: ['etcd/client.ts'],
  '@kubernetes/client-node': ['kube/client.ts'],
  '@grpc/grpc-js': ['etcd/', 'naming/resolver.ts'],
}

/** The part of naming/ that talks to etcd; everything else there is pure. */
const NAMING_IO = new Set(
  [
    'connection',
    'index',
    'manager',
    'register',
    'registration',
    'resolved-target',
    'resolver',
    'sigterm',
    'target-watches',
    'watch-queue',
  ].map((name) => `naming/${name}.ts`),
)

/** What is pure outside the pure folders. */
const ALSO_PURE = new Set(['errors.ts', 'etcd/nest.ts'])

/** All that an application gets with `grpc-etcd-operator/naming`: nothing of Kubernetes. */
const PUBLISHED = {
  entry: 'naming/index.ts',
  folders: ['naming', 'etcd', 'runtime', 'errors.ts'],
  packages: ['etcd3', '@grpc/grpc-js'],
}

/** Packages that are functions over data. */
const PURE_PACKAGES: Readonly<Record<string, readonly string[]>> = { crds: ['zod'], plan: [], naming: [] }

const IMPURE_CALLS =
  /\b(?:Date\.now|performance\.now|Math\.random|setTimeout|setInterval|process\.\w+)\b|\bnew Date\(\)/g

function folderOf(file: string): string {
  return file.split('/')[0] ?? file
}

function isPure(file: string): boolean {
  return folderOf(file) in PURE_PACKAGES && !NAMING_IO.has(file)
}

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
}

/** Static, re-exporting, side-effect and dynamic imports of a source text. */
export function importsOf(source: string): readonly Import[] {
  const text = withoutComments(source)
  const found: Import[] = []
  for (const match of text.matchAll(/^\s*(?:import|export)\s+(type\s)?(?:[^'"`;=]*?\sfrom\s+)['"]([^'"]+)['"]/gm)) {
    found.push({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined })
  }
  for (const match of text.matchAll(/^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm)) {
    found.push({ specifier: match[1] ?? match[2] ?? '', typeOnly: false })
  }
  return found
}

function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  if (from === to || folderOf(from) === folderOf(to)) return true
  const allowed = MAY_IMPORT[folderOf(from)] ?? []
  const matches = (rule: string): boolean => rule === to || rule === folderOf(to)
  return allowed.some((rule) => (rule.startsWith('types:') ? typeOnly && matches(rule.slice(6)) : matches(rule)))
}

function problemOf(file: string, { specifier, typeOnly }: Import): string | undefined {
  if (specifier.startsWith('.')) {
    const target = posix.normalize(posix.join(posix.dirname(file), specifier))
    if (target === '../package.json') return file === 'version.ts' ? undefined : 'only version.ts reads package.json'
    if (target.startsWith('..')) return 'imports from outside src/'
    if (!mayImport(file, target, typeOnly))
      return `${folderOf(file)} may not import ${typeOnly ? 'types of ' : ''}${target}`
    if (isPure(file) && !typeOnly && !isPure(target) && !ALSO_PURE.has(target)) return `is pure and ${target} is not`
    return undefined
  }
  const name = packageName(specifier)
  const door = DOORS[name]
  if (door !== undefined && !door.some((place) => file === place || (place.endsWith('/') && file.startsWith(place)))) {
    return `${name} may be imported by ${door.join(' and ')} only`
  }
  const isAllowed = PURE_PACKAGES[folderOf(file)]?.includes(name) ?? false
  if (isPure(file) && !isAllowed && !typeOnly) return `is pure and ${specifier} is not`
  return undefined
}

/** Chains of imports that come back to their start, each once. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const cycles: string[] = []
  const finished = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0) cycles.push([...path.slice(start), file].join(' → '))
    if (start >= 0 || finished.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    finished.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return cycles
}

/** Everything that breaks the rules; `files` maps paths relative to src/ to their text. */
export function violationsOf(files: ReadonlyMap<string, string>): readonly string[] {
  const problems: string[] = []
  const graph = new Map<string, readonly string[]>()
  for (const [file, source] of files) {
    if (!(folderOf(file) in MAY_IMPORT)) problems.push(`${file}: no rule for this place; see MAY_IMPORT`)
    const imports = importsOf(source)
    for (const each of imports) {
      const problem = problemOf(file, each)
      if (problem !== undefined) problems.push(`${file}: ${problem}`)
    }
    const local = imports.filter(({ specifier }) => specifier.startsWith('.'))
    graph.set(
      file,
      local.map(({ specifier }) => posix.normalize(posix.join(posix.dirname(file), specifier))),
    )
    if (!isPure(file)) continue
    for (const [call] of withoutComments(source).matchAll(IMPURE_CALLS))
      problems.push(`${file}: is pure and ${call} is not`)
  }
  return [...problems, ...cyclesOf(graph).map((cycle) => `cycle: ${cycle}`), ...publishedProblems(files)]
}

/** Types count too: an application's compiler reads them. */
function publishedProblems(files: ReadonlyMap<string, string>): readonly string[] {
  const { entry, folders, packages } = PUBLISHED
  const problems: string[] = []
  const reached = new Set(files.has(entry) ? [entry] : [])
  for (const file of reached) {
    for (const { specifier } of importsOf(files.get(file) ?? '')) {
      const target = posix.normalize(posix.join(posix.dirname(file), specifier))
      const isOurs = specifier.startsWith('.')
      const isAllowed = isOurs
        ? folders.includes(folderOf(target))
        : specifier.startsWith('node:') || packages.includes(packageName(specifier))
      if (!isAllowed) problems.push(`${file}: is part of the published library and ${specifier} is not for it`)
      if (isOurs) reached.add(target)
    }
  }
  return problems
}
