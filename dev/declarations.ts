/**
 * What `grpc-etcd-operator/naming` exports, read from the declarations that the compiler emits for the package.
 *
 * It reads text, because the compiler has no API. What it relies on is the one layout in which the compiler prints declarations: one
 * statement after the other, what is inside indented by four spaces. What it can not find is an error, never left out.
 */
import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'

import { checkout } from './tools/catalogue.ts'

export interface Declaration {
  readonly kind: 'class' | 'function' | 'type' | 'const' | 'error'
  readonly name: string
  /** Relative to the checkout, e.g. `src/naming/key.ts`. */
  readonly source: string
  /** Text of the docstring, without its asterisks; empty if there is none. */
  readonly doc: string
  /** As emitted, without `export declare`. */
  readonly text: string
  /** Types of ours that it names although nobody can import them: not exported by the index. */
  readonly hidden: readonly string[]
}

/** A docstring, if one is directly above, and a statement: a block up to its brace, anything else up to its semicolon. */
const STATEMENT =
  /(?<doc>\/\*\*(?:(?!\*\/)[^])*\*\/\n)?^export (?:declare )?(?<text>(?:(?:abstract )?(?:class|interface) \w[^]*?^\}|(?:function|const|type) \w[^]*?(?<=^ ?\S.*);))$/gm

/** A type of ours, exported or not. */
const DECLARED = /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type) (\w+)/gm

/** In the order of the index. */
export function declarations(): readonly Declaration[] {
  const emitted = mkdtempSync(join(tmpdir(), 'grpc-etcd-declarations-'))
  try {
    const flags = ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', emitted]
    execFileSync(join(checkout, 'node_modules/.bin/tsc'), flags, {
      cwd: checkout,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const read = (file: string): string => readFileSync(join(emitted, file), 'utf8')

    const exported = [...read('naming/index.d.ts').matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';/gm)].flatMap(
      ([, names = '', file = '']) => {
        const path = posix.join('naming', file)
        const found = statementsOf(read(path.replace(/\.ts$/, '.d.ts')), `src/${path}`)
        return names.match(/\w+(?=,|\s*$)/g)?.flatMap((name) => declarationsOf(name, found, `src/${path}`)) ?? []
      },
    )
    const ours = globSync('**/*.d.ts', { cwd: emitted }).flatMap((file) => [...read(file).matchAll(DECLARED)])
    const unexported = new Set(ours.map(([, name = '']) => name)).difference(new Set(exported.map(({ name }) => name)))
    return exported.map((each) => ({ ...each, hidden: [...unexported].filter((name) => mentions(each, name)) }))
  } finally {
    rmSync(emitted, { recursive: true, force: true })
  }
}

function declarationsOf(name: string, found: readonly Declaration[], path: string): readonly Declaration[] {
  const named = found.filter((each) => each.name === name)
  if (named.length === 0)
    throw new Error(`${path}: the declaration of ${name} was not found: adapt dev/declarations.ts`)
  return named
}

function statementsOf(emitted: string, path: string): readonly Declaration[] {
  const source = readFileSync(join(checkout, path), 'utf8')
  return [...emitted.matchAll(STATEMENT)].map(({ groups: { doc = '', text = '' } = {} }) => {
    const [, word = '', name = ''] = /^(?:abstract )?(\w+) (\w+)/.exec(text) ?? []
    // The compiler leaves the head comment of a file above its first declaration.
    const own = source.startsWith(doc) ? '' : plainComment(doc)
    return {
      kind: kindOf(word, name),
      name,
      source: path,
      doc: own,
      text: text.replaceAll(/[ \t]+$/gm, ''),
      hidden: [],
    }
  })
}

function kindOf(word: string, name: string): Declaration['kind'] {
  if (word === 'function' || word === 'const') return word
  if (word === 'class') return name.endsWith('Error') ? 'error' : 'class'
  return 'type'
}

/** Its signature has the name. */
export function mentions({ text }: Declaration, name: string): boolean {
  return new RegExp(`\\b${name}\\b`).test(text.replaceAll(/\/\*\*(?:(?!\*\/)[^])*\*\//g, ''))
}

/** The text of a docstring. */
export function plainComment(comment: string): string {
  return comment
    .replaceAll(/^\s*\/\*\*[ \t]*\n?|[ \t]*\*\/\n?$/g, '')
    .replaceAll(/^[ \t]*\* ?/gm, '')
    .trim()
}
