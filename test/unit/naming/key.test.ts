/** Targets, keys and addresses: the grammar that decides what is whose key (S6, S10). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { joinAddress, parseAddress } from '../../../src/naming/address.ts'
import { endpointKey, isTarget, overlaps, parseEndpointKey, parseTarget, targetRange } from '../../../src/naming/key.ts'
import { compareUtf8 } from '../../../src/naming/utf8.ts'

const segment = fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/)
const target = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))

describe('targets', () => {
  for (const given of ['a', 'payments/ledger', 'Payments/ledger.v2', 'a/b/c/d', 'a_b', '0/9', 'a--b..c']) {
    test(`${JSON.stringify(given)} is a target`, () => {
      assert.deepEqual(parseTarget(given), { ok: true, target: given })
    })
  }
  for (const given of [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '_a',
    'a/_b',
    'a_',
    'a/-b',
    '.',
    'a b',
    'a:b',
    'é',
    'a\n',
    'a/b?c',
    'a%2fb',
    '..',
  ]) {
    test(`${JSON.stringify(given)} is no target`, () => {
      assert.equal(isTarget(given), false)
      assert.equal(parseTarget(given).ok, false)
    })
  }

  const pairs: readonly { a: string; b: string; want: boolean }[] = [
    { a: 'payments', b: 'payments', want: true },
    { a: 'payments', b: 'payments/v2', want: true },
    { a: 'payments/v2/a', b: 'payments', want: true },
    { a: 'payments', b: 'payments-v2', want: false },
    { a: 'foo', b: 'foo_other', want: false },
    { a: 'a/b', b: 'a/c', want: false },
  ]
  for (const { a, b, want } of pairs) {
    test(`${a} and ${b} ${want ? 'overlap' : 'do not overlap'}, whichever comes first`, () => {
      assert.equal(overlaps(a, b), want)
      assert.equal(overlaps(b, a), want)
    })
  }

  test('two targets overlap exactly if the range of one holds keys of the other', () => {
    const inside = (key: string, of: string): boolean => {
      const range = targetRange(of)
      return compareUtf8(key, range.key) >= 0 && compareUtf8(key, range.rangeEnd) < 0
    }
    const related = fc.oneof(
      fc.tuple(target, target),
      fc.tuple(target, segment).map(([a, b]) => [a, `${a}/${b}`] as const),
    )
    fc.assert(
      fc.property(related, ([a, b]) => {
        const shared = inside(endpointKey(a, '10.0.0.1:1'), b) || inside(endpointKey(b, '10.0.0.1:1'), a)
        assert.equal(shared, overlaps(a, b))
      }),
    )
  })
})

describe('keys', () => {
  test('a key is the target, a slash and the address', () => {
    assert.equal(endpointKey('payments/ledger', '[2001:db8::1]:50051'), 'payments/ledger/[2001:db8::1]:50051')
    assert.deepEqual(targetRange('foo'), { key: 'foo/', rangeEnd: 'foo0' })
  })

  const rows: readonly { key: string; want: ReturnType<typeof parseEndpointKey> }[] = [
    { key: 'a/b/10.0.0.1:1', want: { suffix: '10.0.0.1:1', isAddress: true } },
    { key: 'a/b/[::1]:1', want: { suffix: '[::1]:1', isAddress: true } },
    { key: 'a/b/db.example.com:1', want: { suffix: 'db.example.com:1', isAddress: true } },
    { key: 'a/b/', want: { suffix: '', isAddress: false } },
    { key: 'a/b/c/10.0.0.1:1', want: { suffix: 'c/10.0.0.1:1', isAddress: false } },
    { key: 'a/b/10.0.0.1', want: { suffix: '10.0.0.1', isAddress: false } },
    { key: 'a/b/694d81417acd4b11', want: { suffix: '694d81417acd4b11', isAddress: false } },
    { key: 'a/b', want: undefined },
    { key: 'a/bc/10.0.0.1:1', want: undefined },
  ]
  for (const { key, want } of rows) {
    test(`${key} under a/b is ${want === undefined ? 'not its key' : want.isAddress ? 'an endpoint' : 'something else'}`, () => {
      assert.deepEqual(parseEndpointKey('a/b', key), want)
    })
  }

  test('every key that is built is read back', () => {
    fc.assert(
      fc.property(target, fc.ipV4(), fc.integer({ min: 1, max: 65535 }), (target, ip, port) => {
        const addr = joinAddress(ip, port)
        assert.deepEqual(parseEndpointKey(target, endpointKey(target, addr)), { suffix: addr, isAddress: true })
      }),
    )
  })
})

describe('addresses', () => {
  const valid: readonly { given: string; canonical?: string; kind?: string; scope?: string }[] = [
    { given: '10.0.0.1:50051', kind: 'ipv4' },
    { given: '0.0.0.0:1', scope: 'unspecified' },
    { given: '127.1.0.3:50051', scope: 'loopback' },
    { given: '169.254.1.1:1', scope: 'link-local' },
    { given: '224.0.0.5:1', scope: 'link-local' },
    { given: 'db.example.com:1', kind: 'name' },
    { given: 'DB-1.Example.com:65535', canonical: 'db-1.example.com:65535', kind: 'name' },
    { given: 'localhost:1', kind: 'name', scope: 'loopback' },
    { given: 'api.localhost:1', kind: 'name', scope: 'loopback' },
    { given: '[2001:DB8:0:0::0001]:1', canonical: '[2001:db8::1]:1', kind: 'ipv6' },
    { given: '[2001:db8:0:1:1:1:1:1]:1', kind: 'ipv6' },
    { given: '[2001:0:0:1:0:0:0:1]:1', canonical: '[2001:0:0:1::1]:1' },
    { given: '[2001:db8:0:0:1:0:0:1]:1', canonical: '[2001:db8::1:0:0:1]:1' },
    { given: '[1:2:3:4:5:6:0:0]:1', canonical: '[1:2:3:4:5:6::]:1' },
    { given: '[64:ff9b::1.2.3.4]:1', canonical: '[64:ff9b::102:304]:1' },
    { given: '[::ffff:a00:1]:1', canonical: '[::ffff:10.0.0.1]:1', kind: 'ipv6' },
    { given: '[::ffff:127.0.0.1]:1', scope: 'loopback' },
    { given: '[::]:1', scope: 'unspecified' },
    { given: '[::1]:1', scope: 'loopback' },
    { given: '[fe80::1]:1', scope: 'link-local' },
    { given: '[FEBF::1]:1', canonical: '[febf::1]:1', scope: 'link-local' },
    { given: '[ff02::1]:1', scope: 'link-local' },
    { given: '[1::2:3:4:5:6:7]:1', canonical: '[1:0:2:3:4:5:6:7]:1' },
  ]
  for (const { given, canonical = given, kind, scope = 'global' } of valid) {
    test(`${given} is read as ${canonical}, ${scope}`, () => {
      const address = parseAddress(given)
      assert.ok(address.ok, JSON.stringify(address))
      assert.equal(address.canonical, canonical)
      assert.equal(address.scope, scope)
      if (kind !== undefined) assert.equal(address.kind, kind)
      assert.equal(joinAddress(address.host, address.port), canonical)
    })
  }

  const invalid = [
    '',
    ':',
    '10.0.0.1',
    '10.0.0.1:',
    ':1',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    '10.0.0.1:08',
    '10.0.0.1:+1',
    '10.0.0.1: 1',
    '10.0.0.1:1e3',
    '10.0.0.1:1:2',
    '256.0.0.1:1',
    '10.0.0:1',
    '010.0.0.1:1',
    'a.1:1',
    '2001:db8::1:1',
    '[10.0.0.1]:1',
    '[db]:1',
    '[::1]',
    '[::1:1',
    '::1]:1',
    '[fe80::1%eth0]:1',
    '[1:2:3:4:5:6:7]:1',
    '[1:2:3:4:5:6:7:8:9]:1',
    '[1::2::3]:1',
    '[:::]:1',
    '[:1::]:1',
    '[1:2:3:4:5:6:7::8]:1',
    '[1.2.3.4::]:1',
    '[12345::]:1',
    '[]:1',
    '-a:1',
    'a-:1',
    'a_b:1',
    'a..b:1',
    '.a:1',
    'a.:1',
    'é:1',
    'a/b:1',
    'http://a:1',
    'a\n:1',
    `${'a'.repeat(64)}:1`,
    `${'a.'.repeat(127)}a:1`,
  ]
  for (const given of invalid) {
    test(`${JSON.stringify(given)} is no address`, () => {
      const address = parseAddress(given)
      assert.equal(address.ok, false, JSON.stringify(address))
    })
  }

  test('every spelling of an IPv6 address has one canonical form, which is its own', () => {
    fc.assert(
      fc.property(fc.ipV6(), (ip) => {
        const address = parseAddress(`[${ip}]:1`)
        assert.ok(address.ok)
        const again = parseAddress(address.canonical)
        assert.deepEqual(again, address)
        const upper = parseAddress(`[${ip.toUpperCase()}]:1`)
        assert.deepEqual(upper, address)
        // The web's URL parser implements RFC 5952 too; it only spells the mapped form otherwise.
        if (!address.host.startsWith('::ffff:')) assert.equal(new URL(`http://[${ip}]:1`).hostname, `[${address.host}]`)
      }),
    )
  })

  test('joinAddress refuses what is no host or no port', () => {
    for (const [host, port] of [
      ['', 1],
      ['10.0.0.1', 0],
      ['10.0.0.1', 1.5],
      ['not an ip', 1],
      ['1:2', 3],
      ['10.0.0.1', NaN],
    ] as const) {
      assert.throws(() => joinAddress(host, port), RangeError)
    }
  })

  test('parsing never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[[\]:.0-9a-f]*$/)), (text) => void parseAddress(text)),
    )
  })
})

test('compareUtf8 orders strings as their UTF-8 bytes are ordered', () => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareUtf8(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
  assert.ok(compareUtf8('\uff01', '😀') < 0)
})
