/**
 * What is published is usable: installed alone, the library loads, works, type-checks for a strict user, and brings nothing of
 * Kubernetes along.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { startEtcd, type Etcd } from '../../dev/control-plane/etcd.ts'
import { checkout } from '../../dev/tools/catalogue.ts'
import { blocksOf, isPieceOfExample, readGuide } from '../support/guide.ts'
import { importsOf } from '../support/import-rules.ts'
import { installPacked, type PackedPackage } from '../support/packed-package.ts'

const run = promisify(execFile)

/** As a program, it prints the names of all exports, then what `list()` found in the etcd that is its argument. */
const CONSUMER = `
import * as naming from 'grpc-etcd-operator/naming'
console.log(JSON.stringify(Object.keys(naming)))
const manager = new naming.EndpointManager({ hosts: process.argv[2] }, 'packed')
await manager.addEndpoint('packed/10.0.0.7:50051', { addr: '10.0.0.7:50051' })
console.log(JSON.stringify([...(await manager.list())]))
manager.close()
`

const TYPED_CONSUMER = `
import { credentials, Client } from '@grpc/grpc-js'
import { Etcd3 } from 'etcd3'
import {
  EndpointManager, EtcdConnection, ForbiddenError, UnavailableError, endpointKey, register, registerEtcdResolver,
  type DecodedEndpoint, type Endpoint, type EtcdOptions, type RegistrationState, type Update, type WatchItem,
} from 'grpc-etcd-operator/naming'

const options: EtcdOptions = { hosts: ['https://etcd-0:2379'], tls: { ca: Buffer.from('') }, auth: { username: 'a', passwordFile: 'b' } }
const etcd = new EtcdConnection(options)
const resolver = registerEtcdResolver(etcd, { loadBalancing: 'round_robin', emptyGraceMs: 1_000 })
export const client = new Client('etcd:///a', credentials.createInsecure())

const endpoint: Endpoint = { addr: '10.0.0.7:50051', metadata: { weight: 1 } }
const registration = await register(etcd, 'a', endpoint, { ttlSeconds: 30 }, AbortSignal.timeout(1_000))
registration.on('state', (state: RegistrationState) => {
  if (state.kind === 'registered') console.log(state.lease, state.revision)
})
await registration.close()

const manager = new EndpointManager(new Etcd3(), 'a')
const updates: readonly Update[] = [
  { op: 'add', key: endpointKey('a', endpoint.addr), endpoint, lease: 5n },
  { op: 'delete', key: 'a/b', prevValue: true },
]
const { previous } = await manager.update(updates)
const before: DecodedEndpoint | undefined = previous.get('a/b')
for await (const item of manager.watch(AbortSignal.timeout(1_000))) {
  const one: WatchItem = item
  for (const update of one.updates) if (update.op === 'add') console.log(update.endpoint.metadata, before)
}
try {
  await manager.list()
} catch (error) {
  if (error instanceof UnavailableError || error instanceof ForbiddenError) console.log(error.code, error.target)
}
// @ts-expect-error: the types are really checked
await manager.addEndpoint(1)
resolver.close()
`

const TYPED_CONFIG = {
  compilerOptions: {
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    noEmit: true,
  },
  include: ['*.ts'],
}

const KUBERNETES_SIDE = ['kube', 'crds', 'plan', 'controllers', 'cli']
const FOREIGN = ['etcd3', '@grpc/grpc-js']

describe('the packed package', { timeout: 120_000 }, () => {
  let installed: PackedPackage
  let etcd: Etcd
  before(async () => {
    ;[installed, etcd] = await Promise.all([installPacked(['@types/node']), startEtcd()])
    writeFileSync(join(installed.directory, 'package.json'), '{"type":"module"}')
  })
  after(async () => {
    installed.remove()
    await etcd.stop()
  })

  test('asks for nothing but etcd3 and the grpc-js of the application', () => {
    assert.deepEqual(installed.dependencies.toSorted(), FOREIGN.toSorted())
  })

  test('loads in an ES module and lists what it wrote to etcd', async () => {
    const consumer = join(installed.directory, 'consumer.js')
    writeFileSync(consumer, CONSUMER)
    const { stdout } = await run(process.execPath, [consumer, etcd.endpoint], { timeout: 30_000 })
    const [exported, listed] = stdout.split('\n')
    for (const name of ['EndpointManager', 'EtcdConnection', 'register', 'registerEtcdResolver', 'UnavailableError'])
      assert.ok(exported?.includes(`"${name}"`), `${name} is exported`)
    assert.equal(listed, '[["packed/10.0.0.7:50051",{"addr":"10.0.0.7:50051","metadata":null}]]')
  })

  test('type-checks for a strict user who checks the types of libraries too', async () => {
    writeFileSync(join(installed.directory, 'typed-consumer.ts'), TYPED_CONSUMER)
    const fromGuide = blocksOf(readGuide(), 'ts').filter((block) => !isPieceOfExample(block))
    for (const [index, block] of fromGuide.entries())
      writeFileSync(join(installed.directory, `guide-${index}.ts`), block)
    writeFileSync(join(installed.directory, 'tsconfig.json'), JSON.stringify(TYPED_CONFIG))
    const tsc = join(checkout, 'node_modules/.bin/tsc')
    const { stdout } = await run(tsc, ['-p', installed.directory]).catch((error: { stdout: string }) => error)
    assert.equal(stdout, '')
  })

  test('imports nothing of the Kubernetes side, and only two packages', () => {
    const { files, foreign } = graphOf(installed.root, 'dist/naming/index.js')
    assert.ok(files.size > 10, 'the files were found')
    assert.deepEqual([...foreign].filter((name) => !name.startsWith('node:')).sort(), FOREIGN.toSorted())
    assert.deepEqual(
      [...files].filter((file) => KUBERNETES_SIDE.includes(file.split('/')[1] ?? '')),
      [],
    )
  })
})

/** What a file imports, and what that imports. */
function graphOf(
  root: string,
  entry: string,
): { readonly files: ReadonlySet<string>; readonly foreign: ReadonlySet<string> } {
  const files = new Set<string>()
  const foreign = new Set<string>()
  const visit = (file: string): void => {
    if (files.has(file)) return
    files.add(file)
    for (const { specifier } of importsOf(readFileSync(join(root, file), 'utf8'))) {
      if (specifier.startsWith('.')) visit(posix.join(posix.dirname(file), specifier))
      else foreign.add(specifier)
    }
  }
  visit(entry)
  return { files, foreign }
}
