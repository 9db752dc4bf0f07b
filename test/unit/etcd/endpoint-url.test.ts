import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { dialAddress, endpointUrl, hostOf, isSecure, sniOf } from '../../../src/etcd/endpoint-url.ts'

describe('an endpoint of etcd', () => {
  for (const { given, dial, secure, host, sni } of [
    { given: 'etcd-0:2379', dial: 'etcd-0:2379', secure: false, host: 'etcd-0', sni: 'etcd-0' },
    { given: 'http://etcd-0:80', dial: 'etcd-0:80', secure: false, host: 'etcd-0', sni: 'etcd-0' },
    { given: 'http://etcd-0:443', dial: 'etcd-0:443', secure: false, host: 'etcd-0', sni: 'etcd-0' },
    { given: 'https://etcd-0:443', dial: 'etcd-0:443', secure: true, host: 'etcd-0', sni: 'etcd-0' },
    { given: 'https://etcd-0:80', dial: 'etcd-0:80', secure: true, host: 'etcd-0', sni: 'etcd-0' },
    { given: 'https://10.0.0.1:2379', dial: '10.0.0.1:2379', secure: true, host: '10.0.0.1', sni: 'etcd.invalid' },
    { given: 'http://[fd00::1]:80', dial: '[fd00::1]:80', secure: false, host: 'fd00::1', sni: 'etcd.invalid' },
    { given: 'https://[fd00::1]:2379', dial: '[fd00::1]:2379', secure: true, host: 'fd00::1', sni: 'etcd.invalid' },
  ]) {
    test(`${given} is dialled as ${dial}`, () => {
      const url = endpointUrl(given)
      assert.deepEqual([dialAddress(url), isSecure(url), hostOf(url), sniOf(url)], [dial, secure, host, sni])
    })
  }
})
