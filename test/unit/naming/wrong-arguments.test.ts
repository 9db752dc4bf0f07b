/** What a caller without a compiler gets wrong is an InvalidArgumentError that names it, before anything is sent. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  EndpointManager,
  EtcdConnection,
  InvalidArgumentError,
  register,
  registerEtcdResolver,
} from '../../../src/naming/index.ts'

const HOSTS = { hosts: 'http://127.0.0.1:1' }
const call = (callee: unknown, ...args: readonly unknown[]): unknown => {
  assert.ok(typeof callee === 'function')
  return Reflect.apply(callee, undefined, [...args])
}
const construct = (callee: unknown, ...args: readonly unknown[]): unknown => {
  assert.ok(typeof callee === 'function')
  return Reflect.construct(callee, [...args])
}

describe('an argument that can not be used', () => {
  const sources: readonly (readonly [string, unknown, RegExp])[] = [
    ['no source', undefined, /etcd must be given as/],
    ['null', null, /etcd must be given as/],
    ['a string', 'http://127.0.0.1:2379', /etcd must be given as/],
    ['an object of another kind', {}, /etcd must be given as/],
    ['a namespace of an Etcd3', { pool: { options: HOSTS } }, /etcd must be given as/],
    ['an environment variable that is not set', { hosts: undefined }, /hosts .* got undefined/],
    ['no hosts', { hosts: [] }, /hosts .* got \[\]/],
    ['a port alone', { hosts: 2379 }, /hosts .* got 2379/],
    ['a host without a port', { hosts: 'etcd' }, /got "etcd"/],
    ['hosts in one string', { hosts: 'a:2379,b:2379' }, /several as an array, got "a:2379,b:2379"/],
    ['a port that is none', { hosts: 'etcd:99999' }, /got "etcd:99999"/],
    ['IPv6 without brackets', { hosts: '::1:2379' }, /got "::1:2379"/],
    ['another scheme', { hosts: 'ftp://etcd:21' }, /got "ftp:/],
    ['TLS and a host in clear text', { hosts: ['https://a:1', 'b:1'], tls: { caFile: 'ca' } }, /"b:1" .* clear text/],
    ['a time that is none', { ...HOSTS, requestTimeoutMs: Number.NaN }, /requestTimeoutMs .* got NaN/],
    ['no time', { ...HOSTS, requestTimeoutMs: 0 }, /requestTimeoutMs .* got 0/],
    ['a logger without child()', { ...HOSTS, log: { ...console, child: undefined } }, /log has no method child/],
  ]
  for (const [name, source, message] of sources) {
    test(`as source: ${name}`, () => {
      assert.throws(() => construct(EtcdConnection, source), isWrong(message))
    })
  }

  const resolvers: readonly (readonly [string, object, RegExp])[] = [
    ['scheme', { scheme: 'e t c d://' }, /not a scheme/],
    ['loadBalancing', { loadBalancing: 'random' }, /loadBalancing must be 'round_robin'/],
    ['emptyGraceMs', { emptyGraceMs: -1 }, /emptyGraceMs .* got -1/],
    ['emptyGraceMs', { emptyGraceMs: Number.NaN }, /emptyGraceMs .* got NaN/],
  ]
  for (const [name, options, message] of resolvers) {
    test(`of registerEtcdResolver: ${name} ${JSON.stringify(options)}`, () => {
      assert.throws(() => call(registerEtcdResolver, HOSTS, options), isWrong(message))
    })
  }

  const registrations: readonly (readonly [string, readonly unknown[], RegExp])[] = [
    ['no target', ['', { addr: 'a:1' }], /invalid target/],
    ['a URI as target', ['etcd:///t', { addr: 'a:1' }], /no scheme/],
    ['a prefix as target', ['t/', { addr: 'a:1' }], /no slash at its end/],
    ['no endpoint', ['t', undefined], /the address undefined/],
    ['no address', ['t', { addr: '' }], /the address "" .* must be host:port/],
    ['no port', ['t', { addr: '10.0.0.7' }], /must be host:port/],
    ['every address of the machine', ['t', { addr: '0.0.0.0:50051' }], /no client can dial it/],
    ['every IPv6 address of the machine', ['t', { addr: '[::]:50051' }], /no client can dial it/],
    ['a TTL of nothing', ['t', { addr: 'a:1' }, { ttlSeconds: 0 }], /ttlSeconds .* got 0/],
  ]
  for (const [name, args, message] of registrations) {
    test(`of register: ${name}`, async () => {
      await assert.rejects(async () => call(register, HOSTS, ...args), isWrong(message))
    })
  }

  const updates: readonly (readonly [string, unknown, RegExp])[] = [
    ['no update', null, /bad update op/],
    ['no op', { key: 't/a' }, /bad update op/],
    ['no key', { op: 'add' }, /should be prefixed with 't\/' got: 'undefined'/],
    ['no endpoint', { op: 'add', key: 't/a' }, /the add of 't\/a' has no endpoint/],
    ['a lease that is a number', { op: 'add', key: 't/a', endpoint: { addr: 'a:1' }, lease: 123 }, /ID in hexadecimal/],
  ]
  for (const [name, update, message] of updates) {
    test(`of update: ${name}`, async () => {
      const manager = new EndpointManager(HOSTS, 't')
      await assert.rejects(async () => call(manager.update.bind(manager), [update]), isWrong(message))
      manager.close()
    })
  }
})

function isWrong(message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof InvalidArgumentError, String(error))
    assert.match(error.message, message)
    return true
  }
}
