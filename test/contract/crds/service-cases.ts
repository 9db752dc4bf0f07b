/** GrpcService specs that the API server and the parser accept, and that both refuse. */

export interface SpecCase {
  readonly name: string
  readonly spec: unknown
  /** What both say; absent: both accept it. */
  readonly refused?: RegExp
  /** Where the schema itself refuses, in the API server's words. */
  readonly serverSays?: RegExp
}

const selector = { matchLabels: { app: 'ledger' } }
const expression = (item: unknown): unknown => ({ pods: { port: 1, selector: { matchExpressions: [item] } } })
const labels = (matchLabels: unknown): unknown => ({ pods: { port: 1, selector: { matchLabels } } })
const port = (value: unknown): unknown => ({ pods: { selector, port: value } })
const many = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`l${i}`, 'x']))

const TARGET = /must be segments joined by "\/"/
const PORT = /must be a port number from 1 to 65535 or the name of a container port/
const LEASE = /must be a whole number of seconds from 10 to 86400/
const SHAPE = /spec\.target in body should match/

export const SERVICE_CASES: readonly SpecCase[] = [
  { name: 'an empty spec: only GrpcEndpoints', spec: {} },
  { name: 'Pods by label and port name', spec: { pods: { selector, port: 'grpc' } } },
  {
    name: 'everything',
    spec: {
      target: 'payments/ledger',
      pods: { selector, port: 50051, readiness: 'Running', draining: 'WhileServing', ipFamily: 'All' },
      metadata: { zone: 'a', n: [1, null, { deep: true }] },
      metadataFormat: 'Object',
      leaseDurationSeconds: 10,
    },
  },
  { name: 'metadata that is a string', spec: { metadata: 'blue' } },
  { name: 'metadata that is false', spec: { metadata: false } },
  { name: 'a list as metadata', spec: { metadata: [1, 'x'] } },
  { name: 'the longest target', spec: { target: `a/${'b'.repeat(251)}` } },
  { name: 'the longest lease', spec: { leaseDurationSeconds: 86400 } },
  { name: 'ports at the bounds', spec: port(65535) },
  {
    name: 'every operator',
    spec: {
      pods: {
        port: 1,
        selector: {
          matchExpressions: [
            { key: 'a', operator: 'In', values: ['x', ''] },
            { key: 'b.c/d', operator: 'NotIn', values: ['y'] },
            { key: 'e', operator: 'Exists' },
            { key: 'f', operator: 'DoesNotExist', values: [] },
          ],
        },
      },
    },
  },
  { name: 'a prefixed label key and an empty label value', spec: labels({ 'app.kubernetes.io/Name_x': '' }) },
  { name: '32 labels', spec: labels(many(32)) },

  { name: 'a target with an empty segment', spec: { target: 'a//b' }, refused: TARGET, serverSays: SHAPE },
  {
    name: 'a target that begins with the place of bookkeeping',
    spec: { target: '_grpcetcd/x' },
    refused: TARGET,
    serverSays: SHAPE,
  },
  { name: 'a target that ends with a slash', spec: { target: 'a/' }, refused: TARGET, serverSays: SHAPE },
  { name: 'an empty target', spec: { target: '' }, refused: TARGET, serverSays: SHAPE },
  {
    name: 'a target that is too long',
    spec: { target: 'a'.repeat(254) },
    refused: TARGET,
    serverSays: /may not be more than 253/,
  },
  { name: 'a target that is a number', spec: { target: 1 }, refused: TARGET, serverSays: /must be of type string/ },
  {
    name: 'Pods without a port',
    spec: { pods: { selector } },
    refused: /spec\.pods\.port is required; it must be a port/,
    serverSays: /spec\.pods\.port: Required/,
  },
  {
    name: 'Pods without a selector',
    spec: { pods: { port: 1 } },
    refused: /spec\.pods\.selector is required/,
    serverSays: /spec\.pods\.selector: Required/,
  },
  {
    name: 'an empty selector',
    spec: { pods: { port: 1, selector: {} } },
    refused: /must not be empty, it would select every Pod/,
  },
  {
    name: 'a selector of empty parts',
    spec: { pods: { port: 1, selector: { matchLabels: {}, matchExpressions: [] } } },
    refused: /must not be empty/,
  },
  { name: 'port 0', spec: port(0), refused: PORT },
  { name: 'port 65536', spec: port(65536), refused: PORT },
  { name: 'a number as a string', spec: port('8080'), refused: PORT },
  { name: 'a port name that is too long', spec: port('a234567890123456'), refused: PORT },
  { name: 'a port name in capitals', spec: port('GRPC'), refused: PORT },
  { name: 'a port name with two hyphens', spec: port('a--b'), refused: PORT },
  { name: 'a port that is a list', spec: port([1]), refused: PORT, serverSays: /spec\.pods\.port/ },
  {
    name: 'an unknown readiness',
    spec: { pods: { selector, port: 1, readiness: 'ready' } },
    refused: /must be one of Ready, ContainersReady, Running/,
    serverSays: /Unsupported value: "ready"/,
  },
  {
    name: 'an unknown draining',
    spec: { pods: { selector, port: 1, draining: 'Never' } },
    refused: /must be one of Immediate, WhileServing/,
    serverSays: /Unsupported value/,
  },
  {
    name: 'an unknown IP family',
    spec: { pods: { selector, port: 1, ipFamily: 'IPv5' } },
    refused: /must be one of Primary, IPv4, IPv6, All/,
    serverSays: /Unsupported value/,
  },
  {
    name: 'an unknown metadata format',
    spec: { metadataFormat: 'Yaml' },
    refused: /must be one of String, Object/,
    serverSays: /Unsupported value/,
  },
  {
    name: 'a lease of 9 seconds',
    spec: { leaseDurationSeconds: 9 },
    refused: LEASE,
    serverSays: /greater than or equal to 10/,
  },
  {
    name: 'a lease of more than a day',
    spec: { leaseDurationSeconds: 86401 },
    refused: LEASE,
    serverSays: /less than or equal to 86400/,
  },
  {
    name: 'a lease of half seconds',
    spec: { leaseDurationSeconds: 10.5 },
    refused: LEASE,
    serverSays: /must be of type integer/,
  },
  {
    name: 'an operator in lower case',
    spec: expression({ key: 'a', operator: 'in', values: ['x'] }),
    refused: /must be one of In, NotIn, Exists, DoesNotExist/,
    serverSays: /Unsupported value/,
  },
  {
    name: 'In without values',
    spec: expression({ key: 'a', operator: 'In' }),
    refused: /must have values with the operators In and NotIn/,
  },
  {
    name: 'Exists with values',
    spec: expression({ key: 'a', operator: 'Exists', values: ['x'] }),
    refused: /must have values with the operators In and NotIn, and none with Exists/,
  },
  {
    name: 'an expression without a key',
    spec: expression({ operator: 'Exists' }),
    refused: /\[0\]\.key is required/,
    serverSays: /key: Required/,
  },
  {
    name: 'an expression key that is no label key',
    spec: expression({ key: '-a', operator: 'Exists' }),
    refused: /must be a label key/,
    serverSays: /should match/,
  },
  {
    name: 'an expression key with a long prefix',
    spec: expression({ key: `${'a'.repeat(254)}/b`, operator: 'Exists' }),
    refused: /must have a prefix of at most 253 characters/,
  },
  {
    name: 'an expression value that is no label value',
    spec: expression({ key: 'a', operator: 'In', values: ['x y'] }),
    refused: /must be a label value/,
    serverSays: /should match/,
  },
  {
    name: '65 values',
    spec: expression({ key: 'a', operator: 'In', values: Object.keys(many(65)) }),
    refused: /must have at most 64 items/,
    serverSays: /must have at most 64 items/,
  },
  {
    name: '33 expressions',
    spec: {
      pods: {
        port: 1,
        selector: { matchExpressions: Array.from({ length: 33 }, () => ({ key: 'a', operator: 'Exists' })) },
      },
    },
    refused: /must have at most 32 items/,
  },
  {
    name: '33 labels',
    spec: labels(many(33)),
    refused: /must have at most 32 labels/,
    serverSays: /must have at most 32/,
  },
  { name: 'a label key that is none', spec: labels({ 'a b': 'x' }), refused: /must have label keys/ },
  { name: 'a label name that is too long', spec: labels({ ['a'.repeat(64)]: 'x' }), refused: /must have label keys/ },
  {
    name: 'a label key with a long prefix',
    spec: labels({ [`${'a'.repeat(254)}/b`]: 'x' }),
    refused: /must have label keys/,
  },
  {
    name: 'a label value that is none',
    spec: labels({ a: '-x' }),
    refused: /must have label values/,
    serverSays: /should match/,
  },
  {
    name: 'a label value that is a number',
    spec: labels({ a: 1 }),
    refused: /must have label values/,
    serverSays: /must be of type string/,
  },
  { name: 'no spec', spec: undefined, refused: /spec is required; it must be an object/, serverSays: /spec: Required/ },
]
