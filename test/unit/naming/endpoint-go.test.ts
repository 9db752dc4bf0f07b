/** Values of which it is doubtful what a Go client sees in them (S9). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeEndpoint } from '../../../src/naming/endpoint.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (text: string) => decodeEndpoint(utf8(text))

/** Each line was run through Go 1.26's encoding/json, the default one and the one of GOEXPERIMENT=jsonv2: both agree. */
const READ_BY_GO: readonly { given: string; addr?: string; metadata?: unknown }[] = [
  { given: 'null' },
  { given: ' null ' },
  { given: '{"Addr":"a","Addr":null}', addr: 'a' },
  { given: '{"op":3,"OP":null}' },
  { given: '{"Metadata":{"a":1},"Metadata":{"b":2}}', metadata: { b: 2 } },
  { given: '{"Metadata":1,"metadata":null}' },
  { given: '{"Extra":1e999,"Addr":"a"}', addr: 'a' },
  { given: '{"Extra":{"a":-1e400},"Addr":"a"}', addr: 'a' },
  { given: '{"Metadata":1e-999}', metadata: 0 },
  { given: '{"Metadata":-0}', metadata: -0 },
  { given: '{"Metadata":9007199254740993}', metadata: 9007199254740992 },
  { given: '{"Metadata":1E5}', metadata: 100000 },
  { given: '{"Metadata":{"a":1,"a":2,"b":{"c":1},"b":{"d":2}}}', metadata: { a: 2, b: { d: 2 } } },
  { given: '{"\\u0041ddr":"esc"}', addr: 'esc' },
  { given: '{"Addr":"\\ud83d\\ude00\\ud83d"}', addr: '😀\ufffd' },
  { given: '{"Addr":"\\ud800\\ud83d\\ude00"}', addr: '\ufffd😀' },
  { given: '{"Addr":"\\udc00x"}', addr: '\ufffdx' },
  { given: '{"Addr":"a\u2028b\u007f"}', addr: 'a\u2028b\u007f' },
  { given: '{"\u212aop":"x","Addr":"kelvin"}', addr: 'kelvin' },
  { given: '{"O\u017fp":"x"}' },
  { given: '{"Add\u0280":"small capital"}' },
  { given: '{"\uff21ddr":"full width"}' },
  { given: '{"\u0410ddr":"cyrillic"}' },
  { given: '{"AD_DR":"x","Ad-dr":"y"}' },
  { given: '{"Addr":"a","":1}', addr: 'a' },
  { given: `{"Metadata":${'['.repeat(9999)}${']'.repeat(9999)}}`, metadata: undefined },
]

const SKIPPED_BY_GO: readonly string[] = [
  '{"Op":-0}',
  '{"Op":256}',
  '{"Op":1.0}',
  '{"Op":0.5}',
  '{"Op":[]}',
  '{"Op":true}',
  '{"Op":99999999999999999999}',
  '{"Addr":5,"Addr":"a"}',
  '{"Metadata":1e999,"Metadata":1}',
  '{"Op":"0"} trailing',
  '[]',
  'true',
  '{"Addr":"a",}',
  '{"Addr" "a"}',
  '{"Addr":"a"',
  '{"Addr":"a',
  '{"Addr":"\\x"}',
  '{"Addr":"\\u00g0"}',
  '{"Metadata":1.}',
  '{"Metadata":-}',
  '{"Metadata":1e}',
  '{"Metadata":tru}',
  '{"Metadata":trux}',
  '{"Metadata":[1 2]}',
  '{"Metadata":+1}',
  '{"Metadata":.5}',
  '{1:2}',
  '{,}',
  '[1,]',
  'nul',
  '{"Op":0}{"Op":0}',
  '{"Addr":"a"} null',
  ' ',
  '{"Addr":"a"}\u00a0',
  '{"Addr":"a"}\v',
  '{"Metadata":"\0"}',
  `{"Metadata":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
  `{"Extra":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
]

describe('doubtful values, decided by running Go', () => {
  for (const { given, addr = '', metadata = null } of READ_BY_GO) {
    test(`${JSON.stringify(given.slice(0, 60))} is read`, () => {
      const decoded = decode(given)
      assert.ok(decoded.ok, JSON.stringify(decoded))
      assert.equal(decoded.endpoint.addr, addr)
      if (given.length < 1000) assert.deepEqual(decoded.endpoint.metadata, metadata)
    })
  }
  for (const given of SKIPPED_BY_GO) {
    test(`${JSON.stringify(given.slice(0, 60))} is skipped`, () => {
      assert.equal(decode(given).ok, false)
    })
  }

  const invalid: readonly { hex: string; want: string }[] = [
    { hex: 'e282', want: '\ufffd\ufffd' },
    { hex: 'fffe', want: '\ufffd\ufffd' },
    { hex: 'eda080', want: '\ufffd\ufffd\ufffd' },
    { hex: 'f09f98', want: '\ufffd\ufffd\ufffd' },
    { hex: 'f09f9878', want: '\ufffd\ufffd\ufffdx' },
    { hex: 'c080', want: '\ufffd\ufffd' },
    { hex: 'f4908080', want: '\ufffd\ufffd\ufffd\ufffd' },
  ]
  for (const { hex, want } of invalid) {
    test(`each byte of ${hex}, which is not UTF-8, is read as U+FFFD`, () => {
      const decoded = decodeEndpoint(Buffer.concat([utf8('{"Addr":"'), Buffer.from(hex, 'hex'), utf8('"}')]))
      assert.ok(decoded.ok)
      assert.equal(decoded.endpoint.addr, want)
    })
  }
})
