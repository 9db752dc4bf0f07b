/** The value codec against vectors made by Go, and its laws (S9). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { decodeEndpoint, encodeEndpoint } from '../../../src/naming/endpoint.ts'
import { UnsupportedValueError } from '../../../src/naming/json-encode.ts'
import vectors from '../../data/go-naming-vectors.json' with { type: 'json' }

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (text: string) => decodeEndpoint(utf8(text))
const value = (metadata: unknown): string => encodeEndpoint({ addr: 'a:1', metadata })

describe('the vectors made by Go', () => {
  for (const vector of vectors.encode) {
    const addr = Buffer.from(vector.addrUtf8Hex, 'hex').toString()
    const metadata: unknown = vector.metadataJson === '' ? undefined : JSON.parse(vector.metadataJson)
    const bytes = Buffer.from(vector.valueHex, 'hex')

    test(`${vector.name} is written byte for byte`, () => {
      const endpoint = vector.metadataJson === '' ? { addr } : { addr, metadata }
      assert.equal(Buffer.from(encodeEndpoint(endpoint)).toString('hex'), vector.valueHex)
    })

    test(`${vector.name} is read back and written again without a change`, () => {
      const decoded = decodeEndpoint(bytes)
      assert.deepEqual(decoded, { ok: true, endpoint: { addr, metadata: metadata ?? null } })
      assert.ok(decoded.ok)
      assert.equal(encodeEndpoint(decoded.endpoint), bytes.toString())
    })
  }

  for (const vector of vectors.decode) {
    const bytes = Buffer.from(vector.rawHex, 'hex')
    test(`${JSON.stringify(bytes.toString())} is ${vector.ok ? 'read' : 'skipped'} as Go does`, () => {
      const decoded = decodeEndpoint(bytes)
      assert.equal(decoded.ok, vector.ok, JSON.stringify(decoded))
      if (!decoded.ok) return
      assert.equal(decoded.endpoint.addr, vector.addr ?? '')
      assert.equal(JSON.stringify(decoded.endpoint.metadata), JSON.stringify(vector.metadata))
    })
  }
})

describe('encodeEndpoint', () => {
  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const rejected: readonly { name: string; metadata: unknown; message: RegExp }[] = [
    { name: 'NaN', metadata: NaN, message: /^json: unsupported value: NaN$/ },
    { name: 'Infinity', metadata: [Infinity], message: /^json: unsupported value: \+Inf$/ },
    { name: '-Infinity', metadata: { a: -Infinity }, message: /^json: unsupported value: -Inf$/ },
    { name: 'undefined inside', metadata: { a: undefined }, message: /^json: unsupported type: undefined$/ },
    { name: 'a hole', metadata: Array.from({ length: 2 }), message: /undefined$/ },
    { name: 'a function', metadata: () => 1, message: /function$/ },
    { name: 'a symbol', metadata: [Symbol('x')], message: /symbol$/ },
    { name: 'a symbol as name', metadata: { [Symbol('x')]: 1 }, message: /symbol key$/ },
    { name: 'a bigint', metadata: 1n, message: /bigint$/ },
    { name: 'a Date', metadata: new Date(0), message: /Date$/ },
    { name: 'a Map', metadata: { a: new Map() }, message: /Map$/ },
    { name: 'bytes', metadata: new Uint8Array(1), message: /Uint8Array$/ },
    { name: 'an object with toJSON', metadata: { toJSON: () => 1 }, message: /function$/ },
    {
      name: 'a cycle',
      metadata: [cycle],
      message: /^json: unsupported value: encountered a cycle via map\[string\]interface \{\}$/,
    },
  ]
  for (const { name, metadata, message } of rejected) {
    test(`refuses ${name}, and drops nothing silently`, () => {
      assert.throws(
        () => value(metadata),
        (error) => error instanceof UnsupportedValueError && message.test(error.message),
      )
    })
  }

  test('writes lone surrogates as U+FFFD, also in names, where the last of two equal names wins', () => {
    assert.equal(encodeEndpoint({ addr: '\ud800x' }), '{"Op":0,"Addr":"\ufffdx","Metadata":null}')
    assert.match(value({ '\ud800': 1, '\udc00': 2 }), /"Metadata":\{"\ufffd":2\}\}$/)
  })

  test('escapes what Go escapes, in names too', () => {
    assert.match(value({ '<&>': '\u2028\u2029\b\f' }), /\{"\\u003c\\u0026\\u003e":"\\u2028\\u2029\\b\\f"\}\}$/)
  })

  test('writes the same object twice when it is no cycle', () => {
    const shared = { a: 1 }
    assert.match(value([shared, shared]), /\[\{"a":1\},\{"a":1\}\]\}$/)
  })

  test('nests as deep as Go reads, and no deeper', () => {
    const nested = (depth: number): unknown => {
      let inner: unknown = []
      for (let level = 1; level < depth; level++) inner = [inner]
      return inner
    }
    assert.ok(decode(value(nested(9999))).ok)
    assert.throws(() => value(nested(10_000)), /exceeded max depth/)
  })
})

describe('laws', () => {
  // Through JSON once, which makes plain objects of all objects; and 0 of -0, which has its own line below.
  const json = fc.jsonValue({ stringUnit: 'binary' }).map((value): unknown => JSON.parse(JSON.stringify(value)))

  test('what is written is read back the same', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), json, (addr, metadata) => {
        const decoded = decode(encodeEndpoint({ addr, metadata }))
        assert.ok(decoded.ok)
        assert.equal(decoded.endpoint.addr, addr.toWellFormed())
        assert.deepEqual(decoded.endpoint.metadata, metadata)
      }),
    )
    const zero = decode(encodeEndpoint({ addr: '', metadata: [-0] }))
    assert.deepEqual(zero.ok && zero.endpoint.metadata, [-0])
  })

  test('the order in which an object was built does not matter', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.integer()), (metadata) => {
        assert.equal(value(Object.fromEntries(Object.entries(metadata).reverse())), value(metadata))
      }),
    )
  })

  const fragments = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '\\u',
    'd800',
    '"Addr"',
    '"Op"',
    '"Metadata"',
    '"__proto__"',
    '1',
    '-',
    '.',
    'e9',
    'null',
    'true',
    ' ',
    '\n',
    '\0',
    'é',
    '😀',
  )
  test('decoding never throws, changes no prototype, and reads nested values as JSON.parse does', () => {
    const any = fc.oneof(
      fc.array(fragments, { maxLength: 40 }).map((parts) => utf8(parts.join(''))),
      fc.uint8Array(),
    )
    fc.assert(
      fc.property(any, (bytes) => {
        const decoded = decodeEndpoint(bytes)
        if (decoded.ok) assert.equal(typeof decoded.endpoint.addr, 'string')
        assert.equal(decoded.ok || decoded.error !== '', true)
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (json) => {
        const decoded = decode(`{"Metadata":${json}}`)
        assert.ok(decoded.ok)
        assert.deepEqual(decoded.endpoint.metadata, JSON.parse(json))
      }),
    )
    assert.deepEqual(Object.keys(Object.prototype), [])
  })

  test('JSON that JSON.parse refuses is refused, wherever it is broken', () => {
    const broken = fc.tuple(fc.json(), fc.nat(), fragments).map(([json, where, part]) => {
      const at = where % (json.length + 1)
      return json.slice(0, at) + part + json.slice(at)
    })
    fc.assert(
      fc.property(broken, (metadata) => {
        const text = `{"Metadata":${metadata}}`
        let parses = true
        try {
          JSON.parse(text)
        } catch {
          parses = false
        }
        if (!parses) assert.equal(decode(text).ok, false)
      }),
      { numRuns: 1000 },
    )
  })

  test('the short cut for plain values reads what the long way reads', () => {
    const hostile = fc.constantFrom(
      '1e999',
      '-0',
      '9'.repeat(310),
      '{"__proto__":{"e9":1}}',
      '1,"Op":256',
      '}',
      '{"a":1,"a":2}',
    )
    const addr = fc.oneof(fc.string({ unit: 'binary' }), fragments)
    const metadata = fc.oneof(
      fc.json({ maxDepth: 3 }),
      fc.array(fc.oneof(fragments, hostile), { maxLength: 5 }).map((parts) => parts.join('')),
      fc.tuple(hostile, fc.constantFrom(',"Addr":"b"', ',"x":{}', '}{', '')).map(([value, rest]) => value + rest),
      fc.integer({ min: 100, max: 400 }).map((length) => `[${'1'.repeat(length)}]`),
    )
    fc.assert(
      fc.property(addr, metadata, (addr, metadata) => {
        const text = `{"Op":0,"Addr":"${addr}","Metadata":${metadata}}`
        // The space means nothing to Go, and is not plain.
        assert.deepEqual(decode(text), decode(` ${text}`))
      }),
      { numRuns: 3000 },
    )
  })

  test('a name from the wire can not reach a prototype', () => {
    const decoded = decode('{"Metadata":{"__proto__":{"addr":"evil"},"constructor":1}}')
    assert.ok(decoded.ok)
    const { metadata } = decoded.endpoint
    assert.ok(typeof metadata === 'object' && metadata !== null)
    assert.equal(Object.getPrototypeOf(metadata), Object.prototype)
    assert.deepEqual(Object.keys(metadata), ['__proto__', 'constructor'])
    assert.equal(
      encodeEndpoint(decoded.endpoint),
      '{"Op":0,"Addr":"","Metadata":{"__proto__":{"addr":"evil"},"constructor":1}}',
    )
  })
})
