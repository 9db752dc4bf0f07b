/**
 * `npm run build`: what is published.
 * - `dist/grpc-etcd.js`: the command line and the operator in one file that needs nothing but `node`.
 * - `dist/naming/`: the library as ES modules with types, for the package export `./naming`; its dependencies stay imports.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

import { build, type Metafile, type Plugin } from 'esbuild'
import protobuf from 'protobufjs'

import { licencesOf } from './build-licences.ts'
import { checkout } from './tools/catalogue.ts'

/** CommonJS packages in the bundle ask for Node's modules with `require`, which an ES module does not have. */
const REQUIRE = `import { createRequire as createRequireOfBundle } from 'node:module'
const require = createRequireOfBundle(import.meta.url)`

/**
 * etcd3 reads `rpc.proto` from its own directory when it is imported. Read it now instead, and put the parsed descriptor in its place.
 * Refuses to build when the package no longer looks as this expects.
 */
const inlineEtcdProto: Plugin = {
  name: 'inline-etcd-proto',
  setup(builder) {
    builder.onLoad({ filter: /etcd3[/\\]lib[/\\]connection-pool\.js$/ }, async (args) => {
      const source = readFileSync(args.path, 'utf8')
      const call = '(0, proto_loader_1.loadSync)(`${__dirname}/../proto/rpc.proto`,'
      if (!source.includes(call))
        throw new Error(`${args.path} loads its proto files in another way: adapt dev/build.ts`)
      const root = await new protobuf.Root().load(join(dirname(args.path), '../proto/rpc.proto'), { keepCase: true })
      const contents = source.replace(call, `(0, proto_loader_1.fromJSON)(${JSON.stringify(root.toJSON())},`)
      return { contents, loader: 'js' }
    })
  },
}

async function buildCommand(entry: string, output: string): Promise<Metafile> {
  const shebang = readFileSync(entry, 'utf8').startsWith('#!') ? '' : '#!/usr/bin/env node\n'
  const temporary = `${output}.new`
  const result = await build({
    entryPoints: [entry],
    outfile: temporary,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    banner: { js: `${shebang}${REQUIRE}` },
    plugins: [inlineEtcdProto],
    metafile: true,
    // Names of classes and functions are in error messages and stack traces: keep them.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
  chmodSync(temporary, 0o755)
  // Whoever runs the old file meanwhile keeps a whole one.
  renameSync(temporary, output)
  return result.metafile
}

function buildLibrary(): void {
  // What no longer exists must not be published.
  for (const part of ['naming', 'etcd', 'runtime', 'errors.js', 'errors.d.ts']) {
    rmSync(join(checkout, 'dist', part), { recursive: true, force: true })
  }
  execFileSync(join(checkout, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
    cwd: checkout,
    stdio: 'inherit',
  })
}

const { values } = parseArgs({ options: { entry: { type: 'string' }, output: { type: 'string' } } })
const output = values.output ?? join(checkout, 'dist/grpc-etcd.js')
mkdirSync(dirname(output), { recursive: true })
const metafile = await buildCommand(values.entry ?? join(checkout, 'src/main.ts'), output)
writeFileSync(join(dirname(output), 'THIRD-PARTY-LICENCES.txt'), licencesOf(Object.keys(metafile.inputs)))
if (values.output === undefined) buildLibrary()
