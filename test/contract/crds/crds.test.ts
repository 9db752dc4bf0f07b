/**
 * The CRDs on a real API server: they install without a warning, accept and refuse what the parser does, store what the parser
 * returns, and read well in kubectl.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { parse } from 'yaml'
import { startApiServer, type ApiServer } from '../../../dev/control-plane/api-server.ts'
import { crdManifests } from '../../../dev/crd-manifest.ts'
import { parseGrpcEndpoint } from '../../../src/crds/grpc-endpoint.ts'
import { parseGrpcService } from '../../../src/crds/grpc-service.ts'
import { endpointSpec, serviceSpec } from './arbitraries.ts'
import { ENDPOINT_CASES } from './endpoint-cases.ts'
import { asRecord, createRawApi, type Answer, type RawApi } from './raw-api.ts'
import { SERVICE_CASES, type SpecCase } from './service-cases.ts'

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const NAMESPACE = '/apis/grpcetcd.dev/v1alpha1/namespaces/default'

const kinds = [
  { kind: 'GrpcService', plural: 'grpcservices', cases: SERVICE_CASES, parse: parseGrpcService },
  { kind: 'GrpcEndpoint', plural: 'grpcendpoints', cases: ENDPOINT_CASES, parse: parseGrpcEndpoint },
] as const

let server: ApiServer
let api: RawApi

before(
  async () => {
    server = await startApiServer()
    api = createRawApi(server)
  },
  { timeout: 600_000 },
)

after(async () => {
  await api.close()
  await server.stop()
})

const object = (kind: string, spec: unknown, name = 'probe'): unknown => ({
  apiVersion: 'grpcetcd.dev/v1alpha1',
  kind,
  metadata: { name },
  ...(spec === undefined ? {} : { spec }),
})

const dryRun = async (kind: (typeof kinds)[number], spec: unknown): Promise<Answer> =>
  api.call('POST', `${NAMESPACE}/${kind.plural}?dryRun=All`, object(kind.kind, spec))

const message = (answer: Answer): string => String(answer.body['message'])

describe('the CRDs', () => {
  test('install without a warning', async () => {
    for (const [name, manifest] of crdManifests()) {
      const answer = await api.call('POST', CRDS, parse(manifest))
      assert.equal(answer.status, 201, `${name}: ${message(answer)}`)
      assert.deepEqual(answer.warnings, [], name)
    }
    await server.kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all')
    const conditions = await server.kubectl('get', 'crd', '-o', 'jsonpath={.items[*].status.conditions[*].type}')
    assert.doesNotMatch(conditions, /NonStructuralSchema/)
  })

  test('applied once more from the files, change nothing', async () => {
    const directory = fileURLToPath(new URL('../../../manifests/crds', import.meta.url))
    await server.kubectlApply(directory)
    const versions = async (): Promise<string> =>
      server.kubectl('get', 'crd', '-o', 'jsonpath={.items[*].metadata.generation}')
    assert.equal(await versions(), '1 1')
  })
})

for (const kind of kinds) {
  describe(`a ${kind.kind} with`, () => {
    for (const given of kind.cases) {
      test(`${given.name} is ${given.refused === undefined ? 'stored as the parser reads it' : 'refused, by the parser too'}`, async () => {
        checkCase(kind, given, await dryRun(kind, given.spec))
      })
    }
  })
}

function checkCase(kind: (typeof kinds)[number], given: SpecCase, answer: Answer): void {
  const parsed = kind.parse(object(kind.kind, given.spec))
  if (given.refused === undefined) {
    assert.equal(answer.status, 201, message(answer))
    assert.ok(parsed.ok, JSON.stringify(parsed))
    assert.deepEqual(answer.body['spec'], parsed.value)
    assert.deepEqual(answer.body['status'], { observedGeneration: -1 })
    return
  }
  assert.equal(answer.status, 422, JSON.stringify(answer.body))
  assert.match(message(answer), given.serverSays ?? given.refused)
  assert.ok(!parsed.ok)
  assert.ok(
    parsed.problems.some((problem) => given.refused?.test(problem.message)),
    JSON.stringify(parsed.problems),
  )
  assert.ok(
    parsed.problems.every((problem) => problem.reason === 'InvalidSpec' && problem.message.startsWith(problem.path)),
  )
}

describe('of an object that exists', () => {
  const updates = [
    {
      name: 'a new target',
      plural: 'grpcservices',
      from: { target: 'a/b' },
      to: { target: 'a/c' },
      refused: /target is immutable/,
    },
    {
      name: 'a target added later',
      plural: 'grpcservices',
      from: {},
      to: { target: 'a/b' },
      refused: /target can not be added or removed later/,
    },
    {
      name: 'the target removed',
      plural: 'grpcservices',
      from: { target: 'a/b' },
      to: { target: null },
      refused: /target can not be added or removed later/,
    },
    { name: 'another port', plural: 'grpcservices', from: { target: 'a/b' }, to: { leaseDurationSeconds: 30 } },
    {
      name: 'another service',
      plural: 'grpcendpoints',
      from: { serviceRef: { name: 'a' }, address: 'vm:1' },
      to: { serviceRef: { name: 'b' } },
      refused: /serviceRef is immutable/,
    },
    {
      name: 'another address',
      plural: 'grpcendpoints',
      from: { serviceRef: { name: 'a' }, address: 'vm:1' },
      to: { address: 'vm:2', state: 'Drained' },
    },
  ]
  for (const { name, plural, from, to, refused } of updates) {
    test(`${name} is ${refused === undefined ? 'taken' : 'refused'}`, async (context) => {
      const kind = plural === 'grpcservices' ? 'GrpcService' : 'GrpcEndpoint'
      const created = await api.call('POST', `${NAMESPACE}/${plural}`, object(kind, from, 'updated'))
      assert.equal(created.status, 201, message(created))
      context.after(async () => api.call('DELETE', `${NAMESPACE}/${plural}/updated`))
      const answer = await api.call('PATCH', `${NAMESPACE}/${plural}/updated`, { spec: to })
      assert.equal(answer.status, refused === undefined ? 200 : 422, message(answer))
      if (refused !== undefined) assert.match(message(answer), refused)
    })
  }
})

describe('laws', () => {
  for (const kind of kinds) {
    test(`the parser takes a ${kind.kind} exactly if the API server does, and reads what it stores`, async () => {
      await fc.assert(
        fc.asyncProperty<[unknown]>(kind.kind === 'GrpcService' ? serviceSpec : endpointSpec, async (given) => {
          // As it goes over the wire; and null is absent for the API server, which drops it before it looks.
          const spec: unknown = JSON.parse(JSON.stringify(given))
          const answer = await dryRun(kind, spec)
          const parsed = kind.parse({ spec: withoutNulls(spec) })
          assert.equal(parsed.ok, answer.status === 201, `${message(answer)}\n${JSON.stringify(parsed)}`)
          if (!parsed.ok) return
          assert.deepEqual(answer.body['spec'], parsed.value)
          assert.deepEqual(kind.parse(answer.body), parsed)
        }),
        { numRuns: 400 },
      )
    })
  }
})

/** Without the fields that are null; what is inside `metadata` is the user's. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== null)
      .map(([name, item]) => [name, name === 'metadata' ? item : withoutNulls(item)]),
  )
}

describe('kubectl', () => {
  test('explains every field', async () => {
    for (const { plural } of kinds) {
      const answer = await api.call('GET', `${CRDS}/${plural}.grpcetcd.dev`)
      const versions = asRecord(answer.body['spec'])['versions']
      const version: unknown = Array.isArray(versions) ? versions[0] : undefined
      const schema = asRecord(asRecord(asRecord(version)['schema'])['openAPIV3Schema'])
      assert.deepEqual(undescribed(schema, plural), [`${plural}.metadata`])
    }
    const explained = await server.kubectl('explain', 'grpcservice.spec', '--recursive')
    for (const field of ['target', 'pods', 'selector', 'matchLabels', 'readiness', 'leaseDurationSeconds']) {
      assert.match(explained, new RegExp(`^ +${field}\t`, 'm'))
    }
    assert.match(await server.kubectl('explain', 'grpcsvc.spec.metadata'), /make Go\s+clients panic/)
  })

  test('shows the columns, under the short names and the category', async () => {
    await server.kubectlApply(
      ['apiVersion: grpcetcd.dev/v1alpha1', 'kind: GrpcService', 'metadata: {name: ledger}', 'spec: {}'].join('\n'),
    )
    const status = {
      observedGeneration: 1,
      target: 'default/ledger',
      endpoints: { desired: 3, registered: 2 },
      revision: '12',
      conditions: [
        {
          type: 'Ready',
          status: 'False',
          reason: 'PortNotFound',
          message: 'no port',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    }
    await server.kubectl(
      'patch',
      'grpcsvc',
      'ledger',
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status }),
    )
    const wide = await server.kubectl('get', 'grpcetcd', '-o', 'wide')
    assert.match(wide, /^NAME +TARGET +DESIRED +REGISTERED +READY +REASON +AGE +REVISION +MESSAGE/)
    assert.match(wide, /ledger +default\/ledger +3 +2 +False +PortNotFound +\S+ +12 +no port/)
    assert.match(await server.kubectl('get', 'grpcsvc'), /^NAME +TARGET +DESIRED +REGISTERED +READY +REASON +AGE\s*$/m)
    const endpoint = [
      'apiVersion: grpcetcd.dev/v1alpha1',
      'kind: GrpcEndpoint',
      'metadata: {name: vm}',
      "spec: {serviceRef: {name: ledger}, address: 'vm:1'}",
    ].join('\n')
    await server.kubectlApply(endpoint)
    assert.match(await server.kubectl('get', 'grpcep'), /^NAME +KEY +STATE +READY +AGE\s+vm +Active/)
  })

  test('reads back the examples as they were applied, and applying them again changes nothing', async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'grpc-etcd-crds-'))
    context.after(async () => rm(directory, { recursive: true }))
    for (const file of ['greeter.yaml', 'greeter-endpoint.yaml']) {
      const path = fileURLToPath(new URL(`../../../examples/${file}`, import.meta.url))
      // Generations, not resourceVersions: the second apply of any object rewrites its managedFields, Namespaces too.
      const generations = 'jsonpath={range .items[*]}{.metadata.generation} {end}{.metadata.generation}'
      await server.kubectlApply(path)
      const applied = await server.kubectl('get', '-f', path, '-o', generations)
      assert.match(applied, /1/)
      await server.kubectlApply(path)
      const readBack = join(directory, file)
      await writeFile(readBack, await server.kubectl('get', '-f', path, '-o', 'yaml'))
      await server.kubectl('replace', '-f', readBack)
      assert.equal(await server.kubectl('get', '-f', path, '-o', generations), applied)
    }
  })
})

function undescribed(schema: Readonly<Record<string, unknown>>, path: string): readonly string[] {
  const own = typeof schema['description'] === 'string' ? [] : [path]
  const properties = Object.entries(asRecord(schema['properties'] ?? {})).flatMap(([name, child]) =>
    undescribed(asRecord(child), `${path}.${name}`),
  )
  const items = schema['items'] === undefined ? [] : undescribed(asRecord(schema['items']), `${path}[]`)
  return [...own, ...properties, ...items]
}
