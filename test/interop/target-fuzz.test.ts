/** How we read a dialled string, beside grpc-go and etcd's own resolver, on thousands of odd ones. */
import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { authorityOf, parseTargetUri } from '../../src/naming/target-uri.ts'
import { fuzz } from '../support/fuzz.ts'
import { startGoTargets, type GoTargets } from '../support/go-oracle.ts'

const RUNS = 5000

const part = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('/', '//', 'r', 'a', 'r/a', ':', '@', '?', '#', '.', '..', 'x=1') },
  { weight: 2, arbitrary: fc.constantFrom('%2F', '%2f', '%00', '%7F', '%25', '%20', '%C3%A9', '%F0%9F%98%80', '%41') },
  { weight: 1, arbitrary: fc.constantFrom('%', '%4', '%zz', '%%', '%C3', '%ff', '%ED%A0%80', '%C0%80') },
  { weight: 1, arbitrary: fc.constantFrom('[::1]', '[', ']', '80', ':80', '[fe80::1%25eth0]', '1.2.3.4', 'u:p@h:1') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(' ', '\t', '\n', '\0', '\u007f', '\u0085', 'é', '😀', '\u2028', '\ud800', '\udc00'),
  },
  { weight: 1, arbitrary: fc.constantFrom(...'!$&\'()*+,;=<>"{}|\\^`~_-'.split('')) },
)

const group = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16)),
  fc.constantFrom('', '0', '0000', '12345', 'g', '1.2.3.4', '01.2.3.4', '1.2.3', 'FFFF'),
)
const zone = fc
  .array(fc.constantFrom('eth0', '%25', '%20', '%41', '%2F', '%7f', '%ff', '%', 'é', ' ', ':', '/', ']', '<'), {
    maxLength: 3,
  })
  .map((parts) => `%25${parts.join('')}`)
const ipv6 = fc.oneof(
  fc.constantFrom('::1', '::', 'fe80::1', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'),
  fc.array(group, { minLength: 1, maxLength: 9 }).map((groups) => groups.join(':')),
)
const literal = fc
  .tuple(ipv6, fc.option(zone, { nil: '' }), fc.constantFrom('', ':80', ':', 'x', ':8a'))
  .map(([host, scope, port]) => `[${host}${scope}]${port}`)
const authority = fc.oneof(
  literal,
  fc
    .array(
      fc.constantFrom('@', 'u', ':', '80', 'h', '%41', '%C3%A9', '%25', '%ff', 'é', '.', '*', '<', '"', '{', '%2'),
      {
        maxLength: 6,
      },
    )
    .map((parts) => parts.join('')),
)

const scheme = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('etcd:', 'etcd:/', 'etcd://', 'etcd:///', 'ETCD:///', 'Etcd:') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', ':', 'etcd', ' etcd:', 'etcd+a:///', '1etcd:///', 'dns:///', 'unix:', '*'),
  },
)

const uri = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(scheme, fc.array(part, { maxLength: 8 })).map(([head, parts]) => head + parts.join('')),
  },
  { weight: 4, arbitrary: authority.map((host) => `etcd://${host}/r/a`) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary-ascii' }).map((text) => `etcd:${text}`) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }).map((text) => `etcd://${text}`) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }) },
)

for (const version of ['3.5', '3.7'] as const) {
  describe(`beside Go's client ${version}, a dialled string`, { timeout: 300_000 }, () => {
    let go: GoTargets
    before(async () => {
      go = await startGoTargets(version)
    })
    after(async () => go.stop())

    test('is the same target and authority, or none', async (t) => {
      const outcomes = await fuzz(t, uri, RUNS, async (given) => {
        const ours = parseTargetUri(given)
        const theirs = await go.dial(given)
        const message = `ours ${JSON.stringify(ours)}, Go's ${JSON.stringify(theirs)}`
        if (!theirs.ok) {
          // Go knows by the scheme whose the string is; grpc-js had looked at that before it asked us.
          assert.ok(!ours.ok || !/^etcd:/i.test(given), message)
          return 'refused'
        }
        if (!isUtf8(theirs.target)) {
          assert.ok(!ours.ok, message)
          return 'not UTF-8'
        }
        assert.deepEqual(ours, { ok: true, target: theirs.target.toString() }, message)
        // Ours is the name of a host; where Go's is one too, both are the same.
        const authority = authorityOf(theirs.target.toString())
        assert.ok(!/^[A-Za-z][A-Za-z_-]*$/.test(theirs.authority) || authority === theirs.authority, authority)
        return 'dialled'
      })
      for (const outcome of ['dialled', 'refused']) assert.ok((outcomes.get(outcome) ?? 0) > RUNS / 10, outcome)
    })
  })
}
