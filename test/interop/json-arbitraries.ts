/** JSON that is hard to write or to read alike in two languages: for the fuzz of the codec. */
import * as fc from 'fast-check'

/** A value, and a JSON text of it that keeps what `JSON.stringify` loses: `-0`. */
export interface JsonSample {
  readonly value: unknown
  readonly text: string
}

const ODD_UNITS = [
  ...'<>&"\\/\b\f\n\r\t\0\u007f\u00a0\u2028\u2029\ufeff\ufffd\uffffaéKſʀ'.split(''),
  '😀',
  '\ud800',
  '\udbff',
  '\udc00',
]
const ODD_NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'length',
  '',
  '0',
  '9',
  '10',
  '-1',
  '4294967295',
  '😀',
  '\ue000',
]
const ODD_NUMBERS = [0, -0, 5e-324, -5e-324, 1e20, 1e21, 1e-6, 1e-7, 2 ** 53, 2 ** 53 + 2, 2 ** 64, Number.MAX_VALUE]

/** Text with lone surrogates, controls, and what Go escapes. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...ODD_UNITS), maxLength: 12 }),
)

const number = fc
  .oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    fc.integer({ min: -330, max: 308 }).map((exponent) => Number(`1e${exponent}`)),
    fc.constantFrom(...ODD_NUMBERS),
  )
  .map((value): JsonSample => ({ value, text: Object.is(value, -0) ? '-0' : String(value) }))

const scalar: fc.Arbitrary<JsonSample> = fc.oneof(
  number,
  fc.oneof(text, fc.constantFrom(null, true, false)).map((value) => ({ value, text: JSON.stringify(value) })),
)

/** Any JSON value. */
export const json: fc.Arbitrary<JsonSample> = fc.letrec<{ any: JsonSample; array: JsonSample; object: JsonSample }>(
  (tie) => ({
    any: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('array'), tie('object')),
    array: fc.array(tie('any'), { maxLength: 5 }).map((items) => ({
      value: items.map((item) => item.value),
      text: `[${items.map((item) => item.text).join(',')}]`,
    })),
    object: fc
      .uniqueArray(fc.tuple(fc.oneof(text, fc.constantFrom(...ODD_NAMES)), tie('any')), {
        maxLength: 6,
        selector: ([name]) => name,
      })
      .map((members) => ({
        // Makes own properties, of `__proto__`, too.
        value: Object.fromEntries(members.map(([name, member]) => [name, member.value])),
        text: `{${members.map(([name, member]) => `${JSON.stringify(name)}:${member.text}`).join(',')}}`,
      })),
  }),
).any

/** A value of `levels` levels, arrays and objects in turn. */
export function nested(levels: number): JsonSample {
  let value: unknown = []
  let [head, tail] = ['[', ']']
  for (let level = 1; level < levels; level++) {
    const array = level % 2 === 0
    value = array ? [value] : { '<': value }
    head = `${array ? '[' : '{"<":'}${head}`
    tail += array ? ']' : '}'
  }
  return { value, text: head + tail }
}
