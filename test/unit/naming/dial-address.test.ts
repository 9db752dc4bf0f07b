/** From endpoints to what a channel dials: which addresses, and in which order. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { dialAddressesOf, parseDialAddress } from '../../../src/naming/dial-address.ts'
import type { DialAddress } from '../../../src/naming/dial-address.ts'

const endpoints = (addrs: readonly string[]) => addrs.map((addr) => ({ addr }))
const order = (addrs: readonly string[], seed = 1) =>
  dialAddressesOf(endpoints(addrs), seed).addresses.map(({ addr }) => addr)

const addr = fc
  .tuple(
    fc.constantFrom('10.0.0.1', '10.0.0.2', 'ledger-0.ledger', '[2001:db8::1]', ''),
    fc.integer({ min: 1, max: 65_535 }),
  )
  .map(([host, port]) => `${host}:${port}`)
const addrs = fc.uniqueArray(addr, { maxLength: 40 })
const seed = fc.nat(2 ** 31 - 1)

describe('an address to dial', () => {
  const dialable: readonly { readonly given: string; readonly want: DialAddress }[] = [
    { given: '10.0.0.7:50051', want: { host: '10.0.0.7', port: 50_051 } },
    { given: 'ledger-0.ledger.payments.svc:1', want: { host: 'ledger-0.ledger.payments.svc', port: 1 } },
    { given: ':50051', want: { host: 'localhost', port: 50_051 } },
    { given: '[2001:db8::1]:65535', want: { host: '2001:db8::1', port: 65_535 } },
    { given: '[fe80::1%eth0]:80', want: { host: 'fe80::1%eth0', port: 80 } },
    { given: 'unix:/run/ledger.sock', want: { path: '/run/ledger.sock' } },
    { given: 'unix:///run/ledger.sock', want: { path: '/run/ledger.sock' } },
    { given: 'unix:ledger.sock', want: { path: 'ledger.sock' } },
  ]
  for (const { given, want } of dialable) {
    test(`${JSON.stringify(given)} is ${JSON.stringify(want)}`, () => {
      assert.deepEqual(parseDialAddress(given), want)
    })
  }
  for (const given of [
    '',
    '10.0.0.7',
    '10.0.0.7:',
    '10.0.0.7:0',
    '10.0.0.7:65536',
    '10.0.0.7:http',
    '10.0.0.7:-1',
    '2001:db8::1:50051',
    '[2001:db8::1]',
    '[]:80',
    'a b:80',
    'http://10.0.0.7:80',
    'a/b:80',
    '10.0.0.7:80\n',
    'unix:',
  ]) {
    test(`${JSON.stringify(given)} is none`, () => {
      assert.equal(parseDialAddress(given), undefined)
    })
  }
})

describe('the addresses of a channel', () => {
  test('each comes once, and what nobody can dial is told apart', () => {
    const { addresses, undialable } = dialAddressesOf(endpoints(['a:1', 'b:1', 'a:1', 'nonsense', '', 'nonsense']), 7)
    assert.deepEqual(addresses.map(({ addr }) => addr).sort(), ['a:1', 'b:1'])
    assert.deepEqual([...new Set(undialable)], ['nonsense', ''])
  })

  test('their order does not depend on the order of the endpoints, nor on repetition', () => {
    fc.assert(
      fc.property(addrs, seed, fc.infiniteStream(fc.nat()), (given, of, random) => {
        const shuffled = given.map((each) => ({ each, at: random.next().value })).sort((a, b) => a.at - b.at)
        const other = shuffled.flatMap(({ each, at }) => (at % 2 === 0 ? [each, each] : [each]))
        assert.deepEqual(order(other, of), order(given, of))
      }),
    )
  })

  test('one that comes or goes does not move the others', () => {
    fc.assert(
      fc.property(addrs, addr, seed, (given, added, of) => {
        const without = given.filter((each) => each !== added)
        assert.deepEqual(
          order([...without, added], of).filter((each) => each !== added),
          order(without, of),
        )
      }),
    )
  })

  test('nothing is lost or made up', () => {
    fc.assert(
      fc.property(addrs, seed, (given, of) => {
        assert.deepEqual([...order(given, of)].sort(), [...given].sort())
      }),
    )
  })

  test('processes begin with different ones, each about as often as any other', () => {
    const given = Array.from({ length: 10 }, (_, n) => `10.0.0.${n}:50051`)
    const firsts = new Map<string, number>()
    for (let of = 0; of < 10_000; of++) {
      const first = order(given, of * 214_748)[0] ?? ''
      firsts.set(first, (firsts.get(first) ?? 0) + 1)
    }
    assert.equal(firsts.size, given.length)
    for (const [first, times] of firsts) assert.ok(times > 700 && times < 1_300, `${first} is first ${times} times`)
  })
})
