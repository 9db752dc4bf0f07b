/** Bytes that are, or nearly are, the value of an endpoint: for the fuzz of the codec. */
import * as fc from 'fast-check'
import { json, text } from './json-arbitraries.ts'

const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t', '\r'), maxLength: 2 })

/** In upper and lower case as the pattern says. */
const inAnyCase = (name: string): fc.Arbitrary<string> =>
  fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }).map((upper) =>
    name
      .split('')
      .map((letter, at) => (upper[at] === true ? letter.toUpperCase() : letter.toLowerCase()))
      .join(''),
  )

const textOf = (given: string): string => JSON.stringify(given)

const fittingField = fc.oneof(
  fc.tuple(inAnyCase('Op'), fc.constantFrom('0', '1', '255', 'null')),
  fc.tuple(inAnyCase('Addr'), fc.oneof(text.map(textOf), fc.constantFrom('null', '"\\ud83d"', '"\\u0041\\/"'))),
  fc.tuple(
    inAnyCase('Metadata'),
    json.map((sample) => sample.text),
  ),
)

const fieldName = fc.oneof(
  fc.constantFrom(
    'Op',
    'Addr',
    'Metadata',
    '\\u0041ddr',
    'O\\u0070',
    'Extra',
    'Op ',
    'Metadat\u0430',
    'Addr\\u0000',
    '\\ud800',
  ),
  text.map((name) => textOf(name).slice(1, -1)),
)

const fieldValue = fc.oneof(
  { weight: 4, arbitrary: json.map((sample) => sample.text) },
  { weight: 2, arbitrary: fc.constantFrom('null', '0', '1', '7', '255', '""', '"10.0.0.1:80"') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '256',
      '-0',
      '-1',
      '1.0',
      '1e0',
      '00',
      '99999999999999999999',
      '1e999',
      '-1e999',
      '[1,{"a":1e400}]',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"\\ud83d"',
      '"\\ud83d\\ude00"',
      '"\\ud83dx"',
      '"\\u00zz"',
      '"\\x"',
      '"\\/"',
      '1E5',
      '1.50e+3',
      '01',
      '.5',
      '1.',
      'NaN',
    ),
  },
)

const field = fc.oneof(
  { weight: 5, arbitrary: fittingField },
  { weight: 1, arbitrary: fc.tuple(fieldName, fieldValue) },
)

const document = fc
  .tuple(space, fc.array(fc.tuple(space, field, space, space), { maxLength: 5 }), space)
  .map(([before, members, after]) => {
    const inner = members.map(([a, [name, value], b, c]) => `${a}"${name}"${b}:${value}${c}`)
    return Buffer.from(`${before}{${inner.join(',')}}${after}`)
  })

const HARMFUL = [
  '',
  '\ufeff',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '\0',
  '\u001f',
  '\u007f',
  '0',
  '-',
  'e',
  ' ',
  '\u00a0',
].map((part) => Buffer.from(part))
const NOT_UTF8 = ['ff', 'c0', 'c3', 'eda080', 'e282', 'f09f98', 'f4908080', '80', 'c080'].map((hex) =>
  Buffer.from(hex, 'hex'),
)

/** Part of it replaced by something else, anywhere. */
const damaged = fc
  .tuple(document, fc.nat(), fc.nat(3), fc.constantFrom(...HARMFUL, ...NOT_UTF8))
  .map(([bytes, where, length, part]) => {
    const at = where % bytes.length
    return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + length)])
  })

/** Bytes that are not UTF-8 at the beginning of a name or string, or right behind it. */
const mistyped = fc.tuple(document, fc.nat(), fc.constantFrom(...NOT_UTF8)).map(([bytes, where, part]) => {
  const at = bytes.indexOf('"', where % bytes.length) + 1
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
})

const garbage = fc.oneof(
  fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  fc
    .string({ unit: fc.constantFrom(...'{}[]",:\\u01-+.eE tralsn'.split('')), maxLength: 20 })
    .map((given) => Buffer.from(given)),
  json.map((sample) => Buffer.from(sample.text)),
)

/** Bytes that may be, or nearly be, the value of an endpoint. */
export const storedBytes: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 6, arbitrary: document },
  { weight: 2, arbitrary: damaged },
  { weight: 1, arbitrary: mistyped },
  { weight: 1, arbitrary: garbage },
)
