import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { z } from 'zod'
import { addressToDelete, addressToPut, commonShape, lease, metadata } from '../../../src/cli/arguments.ts'

type Case = readonly [given: string, want: unknown]

/** What is read of it, or the message that it is refused with. */
function read(field: z.ZodType, text: string): unknown {
  const result = field.safeParse(text)
  return result.success ? { value: result.data } : result.error.issues.map(({ message }) => message).join()
}

function table(
  name: string,
  field: z.ZodType,
  accepted: readonly Case[],
  refused: readonly (readonly [string, RegExp])[],
) {
  describe(name, () => {
    for (const [given, value] of accepted)
      test(`${JSON.stringify(given)} is ${JSON.stringify(value)}`, () =>
        assert.deepEqual(read(field, given), { value }))
    for (const [given, says] of refused)
      test(`${JSON.stringify(given)} is refused`, () => assert.match(String(read(field, given)), says))
  })
}

table(
  'a target',
  commonShape.target,
  [
    ['payments/ledger', 'payments/ledger'],
    ['etcd:///payments/ledger', 'payments/ledger'],
    ['ETCD:payments/ledger', 'payments/ledger'],
    ['etcd://any/payments/led%67er?a=b', 'payments/ledger'],
    ['/old/style', '/old/style'],
    ['zahlungen/größe', 'zahlungen/größe'],
  ],
  [
    ['', /must name a target/],
    ['etcd:///', /^it names no target; write etcd:\/\/\/my-service$/],
    ['dns:///ledger', /scheme must be etcd/],
    ['payments/', /must not end with "\/"; did you mean payments\?/],
    ['etcd:///payments//', /did you mean payments\?/],
    ['_grpcetcd/default', /the operator keeps its own records/],
    ['a b', /must not hold spaces/],
    ['a\u001b[31m', /control characters/],
  ],
)

table(
  'an address to put',
  addressToPut,
  [
    ['10.0.0.7:50051', '10.0.0.7:50051'],
    ['[2001:DB8:0:0::7]:50051', '[2001:db8::7]:50051'],
    ['DB-1.example.com:443', 'db-1.example.com:443'],
    ['127.0.0.1:1', '127.0.0.1:1'],
  ],
  [
    ['10.0.0.7', /must be host:port/],
    ['10.0.0.7:0', /the port must be a number from 1 to 65535/],
    ['2001:db8::7:50051', /an IPv6 host stands in brackets/],
    ['0.0.0.0:50051', /no client can dial 0\.0\.0\.0/],
    ['[::]:50051', /no client can dial ::/],
    ['', /must be host:port/],
  ],
)

table(
  'an address to delete',
  addressToDelete,
  [
    ['10.0.0.7:50051', ['10.0.0.7:50051']],
    ['[2001:DB8::7]:1', ['[2001:DB8::7]:1', '[2001:db8::7]:1']],
    ['whatever', ['whatever']],
  ],
  [['', /what follows the target in the key/]],
)

table(
  'metadata',
  metadata,
  [
    ['{"zone":"a","weight":3}', { zone: 'a', weight: 3 }],
    ['null', null],
    ['"text"', 'text'],
    ['[{"a":1}]', [{ a: 1 }]],
    [' {} ', {}],
    ['{"a":1,"__proto__":2,"a":3}', JSON.parse('{"a":3,"__proto__":2}')],
  ],
  [
    ['{zone:"a"}', /is no JSON: invalid character 'z' .*, at character 2;/],
    ['{"zone":"a",}', /invalid character '}' .*, at character 13;/],
    ['', /unexpected end of JSON input, at character 1;/],
    ['[1', /unexpected end of JSON input, at character 3;/],
    ['1e999', /json: unsupported value: \+Inf/],
    ['{"a":[1e999]}', /json: unsupported value: \+Inf/],
    ['-h', /is no JSON: invalid character 'h' in numeric literal/],
    ['1],[2', /invalid character ']' after top-level value/],
    ['['.repeat(10_001), /exceeded max depth/],
  ],
)

table(
  'a lease',
  lease,
  [
    ['694d81417acd4b11', '694d81417acd4b11'],
    ['0F80A20B3A3D3608', 'f80a20b3a3d3608'],
  ],
  [
    ['', /ID of a lease in hexadecimal/],
    ['0', /ID of a lease/],
    ['7587848390498503441', /ID of a lease/],
    ['xyz', /ID of a lease/],
  ],
)
