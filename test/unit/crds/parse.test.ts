/** The parsers on objects that no API server has checked: they say what is wrong and never throw (S14). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { parseGrpcEndpoint } from '../../../src/crds/grpc-endpoint.ts'
import { parseGrpcService } from '../../../src/crds/grpc-service.ts'

const pods = { selector: { matchLabels: { app: 'ledger' } }, port: 'grpc' }
const service = (spec: unknown) => parseGrpcService({ spec })
const endpoint = (spec: object) =>
  parseGrpcEndpoint({ spec: { serviceRef: { name: 'ledger' }, address: 'vm:1', ...spec } })

const messages = (
  parsed: ReturnType<typeof parseGrpcService> | ReturnType<typeof parseGrpcEndpoint>,
): readonly string[] => (parsed.ok ? [] : parsed.problems.map(({ message }) => message))

describe('parseGrpcService', () => {
  test('applies the defaults', () => {
    assert.deepEqual(service({ pods }), {
      ok: true,
      value: {
        pods: { ...pods, readiness: 'Ready', draining: 'Immediate', ipFamily: 'Primary' },
        metadataFormat: 'String',
        leaseDurationSeconds: 600,
      },
    })
  })

  test('drops fields it does not know, as the API server does', () => {
    const parsed = service({ pods: { ...pods, unknown: 1 }, paused: true })
    assert.ok(parsed.ok)
    assert.deepEqual(Object.keys(parsed.value), ['pods', 'metadataFormat', 'leaseDurationSeconds'])
  })

  test('names every mistake, each with its field and the way out', () => {
    const parsed = service({ target: '/x', pods: { selector: {}, port: 'Grpc' }, leaseDurationSeconds: 1 })
    assert.ok(!parsed.ok)
    assert.deepEqual(
      parsed.problems.map(({ path, reason }) => ({ path, reason })),
      ['target', 'pods.selector', 'pods.port', 'leaseDurationSeconds'].map((path) => ({
        path: `spec.${path}`,
        reason: 'InvalidSpec',
      })),
    )
    assert.equal(messages(parsed)[3], 'spec.leaseDurationSeconds must be a whole number of seconds from 10 to 86400')
  })

  test('points into lists', () => {
    const matchExpressions = [
      { key: 'a', operator: 'Exists' },
      { key: 'a', operator: 'In', values: ['ok', 'not ok'] },
    ]
    const parsed = service({ pods: { port: 1, selector: { matchExpressions } } })
    assert.ok(!parsed.ok)
    assert.equal(parsed.problems[0]?.path, 'spec.pods.selector.matchExpressions[1].values[1]')
  })

  test('does not take a label it can not carry for one that is not there: that would select more Pods', () => {
    const matchLabels: unknown = JSON.parse('{"app":"ledger","__proto__":"x"}')
    assert.match(messages(service({ pods: { port: 1, selector: { matchLabels } } })).join(), /"__proto__" is none/)
  })

  test('bounds metadata by its bytes, not its characters', () => {
    assert.equal(service({ metadata: 'a'.repeat(4094) }).ok, true)
    assert.match(
      messages(service({ metadata: 'a'.repeat(4095) })).join(),
      /^spec\.metadata must be at most 4096 bytes of JSON, it has 4097;/,
    )
    assert.equal(service({ metadata: 'é'.repeat(2047) }).ok, true)
    assert.equal(service({ metadata: 'é'.repeat(2048) }).ok, false)
    assert.equal(endpoint({ metadata: { a: 'a'.repeat(4096) } }).ok, false)
  })

  for (const object of [undefined, null, 1, 'x', [], {}, { spec: null }, { spec: [] }, { spec: 'x' }]) {
    test(`says that ${JSON.stringify(object)} has no spec`, () => {
      for (const parsed of [parseGrpcService(object), parseGrpcEndpoint(object)]) {
        assert.match(messages(parsed)[0] ?? '', /^spec (is required; it )?must be an object/)
      }
    })
  }
})

describe('parseGrpcEndpoint', () => {
  test('is active by default', () => {
    assert.deepEqual(endpoint({}), {
      ok: true,
      value: { serviceRef: { name: 'ledger' }, address: 'vm:1', state: 'Active' },
    })
  })

  test('says how to write an IPv4 address that came in IPv6 form', () => {
    assert.deepEqual(messages(endpoint({ address: '[::ffff:a14:307]:50051' })), [
      'spec.address must not be an IPv4 address in IPv6 form; write 10.20.3.7:50051',
    ])
  })
})

describe('laws', () => {
  const field = fc.constantFrom(
    'spec',
    'pods',
    'selector',
    'matchLabels',
    'matchExpressions',
    'port',
    'target',
    'metadata',
    'serviceRef',
    'name',
    'address',
    'state',
    'leaseDurationSeconds',
    '__proto__',
    'toString',
    'values',
    'key',
    'operator',
  )
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'medium' },
      fc.anything(),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(field, tie('tree'), { maxKeys: 6 }),
    ),
  }))

  test('whatever the object is, the parsers return, and every problem is a sentence about a field', () => {
    const object = fc.oneof(
      tree,
      tree.map((spec) => ({ spec })),
    )
    fc.assert(
      fc.property(object, (given) => {
        for (const parsed of [parseGrpcService(given), parseGrpcEndpoint(given)]) {
          if (parsed.ok) continue
          assert.ok(parsed.problems.length > 0)
          for (const { message, path } of parsed.problems) {
            assert.ok(path.startsWith('spec') && message.startsWith(`${path} `) && message.includes('must'), message)
          }
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('parsing what was parsed changes nothing', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 10, max: 86400 }), (metadata, leaseDurationSeconds) => {
        const parsed = service({ pods, metadata, leaseDurationSeconds })
        if (parsed.ok) assert.deepEqual(service(parsed.value), parsed)
      }),
    )
  })
})
