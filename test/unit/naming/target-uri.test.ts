/** What a client dials is the target that Go's resolver would read. Each line was run through grpc-go 1.83 and etcd's resolver. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { authorityOf, parseTargetUri } from '../../../src/naming/target-uri.ts'

const DIALLED: readonly { given: string; target: string }[] = [
  { given: 'etcd:///r/a', target: 'r/a' },
  { given: 'etcd:r/a', target: 'r/a' },
  { given: 'etcd:/r/a', target: 'r/a' },
  { given: 'ETCD:///r/a', target: 'r/a' },
  { given: 'etcd-eu:///r/a', target: 'r/a' },
  { given: 'etcd://auth/r/a', target: 'r/a' },
  { given: 'etcd://r/a', target: 'a' },
  { given: 'etcd:////r/a', target: '/r/a' },
  { given: 'etcd:////', target: '/' },
  { given: 'etcd:///r/a/', target: 'r/a/' },
  { given: 'etcd:///r//a', target: 'r//a' },
  { given: 'etcd:///../r/./a', target: '../r/./a' },
  { given: 'etcd:///r\\a', target: 'r\\a' },
  { given: 'etcd:///r%2Fa', target: 'r/a' },
  { given: 'etcd:///%2Fr', target: '/r' },
  { given: 'etcd:r%2Fa', target: 'r%2Fa' },
  { given: 'etcd:r%zz', target: 'r%zz' },
  { given: 'etcd:///r%252Fa', target: 'r%2Fa' },
  { given: 'etcd:///r%00', target: 'r\0' },
  { given: 'etcd:///r%20a', target: 'r a' },
  { given: 'etcd:///r a', target: 'r a' },
  { given: 'etcd:///r+a', target: 'r+a' },
  { given: 'etcd:///%C3%A9', target: 'é' },
  { given: 'etcd:///é😀', target: 'é😀' },
  { given: 'etcd:///\ud800', target: '\ufffd' },
  { given: 'etcd:///r/a?x=1', target: 'r/a' },
  { given: 'etcd:///r/a?', target: 'r/a' },
  { given: 'etcd:///r/a?x=%zz?y', target: 'r/a' },
  { given: 'etcd:r/a?x=1', target: 'r/a' },
  { given: 'etcd:///r/a#f', target: 'r/a' },
  { given: 'etcd:///r/a#f?x#y\u0001', target: 'r/a' },
  { given: 'etcd:///r%3Fx%23f', target: 'r?x#f' },
  { given: 'etcd:///[::1]:80', target: '[::1]:80' },
  { given: 'etcd://user:p%40ss@host:2379/r/a', target: 'r/a' },
  { given: 'etcd://u@v@host/r', target: 'r' },
  { given: 'etcd://host:/r', target: 'r' },
  { given: 'etcd://a:b:80/r', target: 'r' },
  { given: 'etcd://%C3%A9/r', target: 'r' },
  { given: 'etcd://[::1]:2379/r', target: 'r' },
  { given: 'etcd://[fe80::1%25eth0]/r', target: 'r' },
]

const REFUSED: readonly { given: string; why: string }[] = [
  { given: '', why: 'it has no scheme' },
  { given: 'r/a', why: 'it has no scheme' },
  { given: ':///r', why: 'it has no scheme' },
  { given: '1etcd:///r', why: 'it has no scheme' },
  { given: ' etcd:///r', why: 'it has no scheme' },
  { given: 'etcd:', why: 'it names no target' },
  { given: 'etcd:/', why: 'it names no target' },
  { given: 'etcd://', why: 'it names no target' },
  { given: 'etcd://r', why: 'it names no target' },
  { given: 'etcd:///', why: 'it names no target' },
  { given: 'etcd:///?r', why: 'it names no target' },
  { given: 'etcd:///%2', why: '"%2" is not a percent-escape' },
  { given: 'etcd:///r%zza', why: '"%zz" is not a percent-escape' },
  { given: 'etcd:///r#%', why: '"%" is not a percent-escape' },
  { given: 'etcd:r#%4', why: '"%4" is not a percent-escape' },
  { given: 'etcd:///r\n', why: 'it contains a control character' },
  { given: 'etcd:r\u007f', why: 'it contains a control character' },
  { given: 'etcd:///r?\t', why: 'it contains a control character' },
  { given: 'etcd://ho st/r', why: 'what follows "//" is not a host and port' },
  { given: 'etcd://host:port/r', why: 'what follows "//" is not a host and port' },
  { given: 'etcd://ho%41st/r', why: 'what follows "//" is not a host and port' },
  { given: 'etcd://us{er@host/r', why: 'what follows "//" is not a host and port' },
  { given: 'etcd://u%4@host/r', why: 'what follows "//" is not a host and port' },
  { given: 'etcd://[::1/r', why: 'what follows "//" is not a host and port' },
  { given: 'etcd://[1.2.3.4]/r', why: 'what follows "//" is not a host and port' },
  { given: 'etcd://[fe80::1%25]/r', why: 'what follows "//" is not a host and port' },
  { given: 'etcd://[fe80::1%25a%2Fb]/r', why: 'what follows "//" is not a host and port' },
]

describe('what a client dials', () => {
  for (const { given, target } of DIALLED) {
    test(`${JSON.stringify(given)} is the target ${JSON.stringify(target)}`, () => {
      assert.deepEqual(parseTargetUri(given), { ok: true, target })
    })
  }
  for (const { given, why } of REFUSED) {
    test(`${JSON.stringify(given)} is refused: ${why}`, () => {
      const error = `can not dial ${JSON.stringify(given)}: ${why}; write etcd:///my-service`
      assert.deepEqual(parseTargetUri(given), { ok: false, error })
    })
  }
  for (const given of ['etcd:///%ff', 'etcd:///r%C3', 'etcd:///%ED%A0%80', 'etcd:///%C0%80']) {
    test(`${given} is refused, though Go dials it: a target is a string here`, () => {
      assert.match(JSON.stringify(parseTargetUri(given)), /it is not UTF-8/)
    })
  }
  test('the example in an error has the scheme that was dialled', () => {
    const error = 'can not dial "etcd-eu:///": it names no target; write etcd-eu:///my-service'
    assert.deepEqual(parseTargetUri('etcd-eu:///'), { ok: false, error })
  })
})

describe('the authority that calls to a target carry', () => {
  const cases: readonly { target: string; want: string }[] = [
    { target: 'ledger', want: 'ledger' },
    { target: 'Ledger_2.example-1', want: 'Ledger_2.example-1' },
    { target: 'payments/ledger', want: 'payments.ledger' },
    { target: '/r//a/', want: 'r.a' },
    { target: 'a b%2F?#"@:x', want: 'a.b.2F.x' },
    // A URL ends in a number only where it is an IPv4 address.
    { target: 'ledger/v1.2', want: 'etcd' },
    { target: 'é\0', want: 'etcd' },
  ]
  for (const { target, want } of cases) {
    test(`of ${JSON.stringify(target)} is ${want}`, () => {
      assert.equal(authorityOf(target), want)
    })
  }
})
