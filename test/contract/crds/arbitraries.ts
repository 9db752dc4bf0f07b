/** Specs that are nearly right: each field is well-formed most of the time, so that the rules between fields are reached too. */
import * as fc from 'fast-check'

const odd = fc.constantFrom<unknown>(
  null,
  '',
  0,
  1,
  -1,
  'a',
  'A',
  'a b',
  '-',
  true,
  [],
  {},
  ['a'],
  1.5,
  70000,
  'a/b',
  '10.0.0.1:1',
  '[::1]:1',
  'Ready',
)
const label = fc.oneof(fc.stringMatching(/^[a-z0-9./_-]{0,8}$/), fc.constantFrom('app', 'x/y'))
const expression = fc.record(
  {
    key: fc.oneof(label, odd),
    operator: fc.oneof(fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'), odd),
    values: fc.oneof(fc.array(label, { maxLength: 3 }), odd),
  },
  { requiredKeys: [] },
)
const selector = fc.record(
  {
    matchLabels: fc.oneof(fc.dictionary(label, label, { maxKeys: 3, noNullPrototype: true }), odd),
    matchExpressions: fc.oneof(fc.array(expression, { maxLength: 3 }), odd),
  },
  { requiredKeys: [] },
)
const pods = fc.record(
  {
    selector: fc.oneof({ weight: 5, arbitrary: selector }, odd),
    port: fc.oneof(fc.integer({ min: -1, max: 65540 }), fc.stringMatching(/^[a-z0-9-]{1,16}$/), odd),
    readiness: odd,
    unknown: odd,
  },
  { requiredKeys: ['selector', 'port'] },
)
export const serviceSpec = fc.record(
  {
    target: fc.oneof(fc.stringMatching(/^[a-zA-Z0-9._/-]{0,9}$/), odd),
    pods: fc.oneof({ weight: 5, arbitrary: pods }, odd),
    metadata: fc.jsonValue({ maxDepth: 2 }),
    leaseDurationSeconds: fc.oneof(fc.integer({ min: 0, max: 100 }), odd),
  },
  { requiredKeys: [] },
)
const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map((ip) => `[${ip}]`),
  fc.domain(),
  fc.stringMatching(/^[a-z0-9.-]{1,12}$/),
  fc.stringMatching(/^\[[0-9a-f:.]{2,12}\]$/),
)
const address = fc.tuple(host, fc.integer({ min: 0, max: 70000 })).map(([name, port]) => `${name}:${port}`)
export const endpointSpec = fc.record(
  {
    serviceRef: fc.oneof(fc.record({ name: fc.stringMatching(/^[a-z0-9.-]{1,9}$/) }), odd),
    address: fc.oneof({ weight: 5, arbitrary: address }, odd),
    metadata: fc.jsonValue(),
    state: odd,
  },
  { requiredKeys: ['serviceRef', 'address'] },
)
