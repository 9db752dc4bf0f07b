import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { describeSettings, loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/errors.ts'

const directory = mkdtempSync(join(tmpdir(), 'config-test-'))
after(() => rmSync(directory, { recursive: true }))

function file(text: string): string {
  const path = join(directory, `${Math.random()}.yaml`)
  writeFileSync(path, text)
  return path
}

describe('the configuration', () => {
  test('has a default for everything that has one', () => {
    const config = loadConfig([], {})
    assert.deepEqual(config.etcdEndpoints, ['http://127.0.0.1:2379'])
    assert.equal(config.statePrefix, '_grpcetcd/default/')
    assert.equal(config.electionTtlSeconds, 5)
    assert.equal(config.maxBlindSeconds, 86_400)
  })

  test('takes no bound for blind replicas by the number 0 only', () => {
    assert.equal(loadConfig(['--max-blind-seconds', '0'], {}).maxBlindSeconds, 0)
    assert.equal(loadConfig(['--config', file('maxBlindSeconds: 0')], {}).maxBlindSeconds, 0)
    for (const value of ['', ' ', '-1', '1.5', '1h', 'Infinity']) {
      assert.throws(
        () => loadConfig([`--max-blind-seconds=${value}`], {}),
        /must be a whole number of seconds; 0 for no/,
      )
    }
    for (const value of ['-1', '0.5', 'true', '[0]', '.inf']) {
      assert.throws(() => loadConfig(['--config', file(`maxBlindSeconds: ${value}`)], {}), ConfigError)
    }
  })

  test('of a flag beats a variable, which beats the file', () => {
    const config = file('operatorName: from-file\nlogLevel: debug\nelectionTtlSeconds: 9\n')
    const env = { GRPC_ETCD_OPERATOR_NAME: 'from-env', GRPC_ETCD_LOG_LEVEL: 'warn', GRPC_ETCD_CONFIG: config }
    const { operatorName, logLevel, electionTtlSeconds } = loadConfig(['--operator-name', 'from-flag'], env)
    assert.deepEqual([operatorName, logLevel, electionTtlSeconds], ['from-flag', 'warn', 9])
  })

  test('takes several etcd endpoints as a comma-separated flag or as a list in the file', () => {
    const want = ['https://a:2379', 'https://b:2379']
    assert.deepEqual(loadConfig(['--etcd-endpoints=https://a:2379, https://b:2379'], {}).etcdEndpoints, want)
    const list = file('etcdEndpoints: [https://a:2379, https://b:2379]')
    assert.deepEqual(loadConfig(['--config', list], {}).etcdEndpoints, want)
  })

  test('keeps its bookkeeping under the operator’s own name', () => {
    assert.equal(loadConfig(['--operator-name', 'blue'], {}).statePrefix, '_grpcetcd/blue/')
  })

  test('an empty file, an empty key and an empty variable change nothing', () => {
    assert.deepEqual(loadConfig(['--config', file('')], {}), loadConfig([], {}))
    const keys = file("etcdCaFile:\netcdUsername: ''\nmetricsAddress: ''\n")
    assert.deepEqual(loadConfig(['--config', keys], {}), loadConfig([], {}))
    const env = { GRPC_ETCD_CONFIG: '', GRPC_ETCD_ETCD_CA_FILE: '', GRPC_ETCD_ELECTION_TTL_SECONDS: '' }
    assert.deepEqual(loadConfig([], env), loadConfig([], {}))
  })

  test('takes TLS files for https', () => {
    const argv = ['--etcd-endpoints', 'https://[::1]:2379', '--etcd-ca-file', 'ca', '--etcd-server-name', 'etcd']
    assert.equal(loadConfig(argv, {}).etcdCaFile, 'ca')
  })

  const refused: readonly {
    readonly name: string
    readonly argv: readonly string[]
    readonly env?: Record<string, string>
    readonly says: RegExp
  }[] = [
    {
      name: 'an unknown flag, with the one that was meant',
      argv: ['--etcd-endpoint', 'x'],
      says: /did you mean --etcd-endpoints\?/,
    },
    { name: 'a flag without its value', argv: ['--log-level'], says: /--log-level: needs a value/ },
    {
      name: 'a flag whose value is the next flag',
      argv: ['--log-level', '--kubeconfig'],
      says: /--log-level: needs a value/,
    },
    {
      name: 'an endpoint that is no URL',
      argv: ['--etcd-endpoints', 'a:2379'],
      says: /--etcd-endpoints: "a:2379": must be http:/,
    },
    {
      name: 'a port of an endpoint that is none',
      argv: ['--etcd-endpoints', 'http://a:99999'],
      says: /must be http:/,
    },
    {
      name: 'two endpoints in one',
      argv: ['--config', file('etcdEndpoints: ["http://a:1,b:2"]')],
      says: /must be http:/,
    },
    { name: 'IPv6 without brackets', argv: ['--etcd-endpoints', 'http://::1:2379'], says: /must be http:/ },
    {
      name: 'TLS files for an endpoint in clear text',
      argv: ['--etcd-endpoints', 'https://a:1,http://b:1', '--etcd-ca-file', 'ca'],
      says: /^--etcd-ca-file is given, but http:\/\/b:1 would be spoken to in clear text: write https:\/\/ in --etcd-endpoints$/,
    },
    { name: 'an empty flag', argv: ['--etcd-ca-file='], says: /--etcd-ca-file: "": must not be empty/ },
    { name: 'an endpoint without a port', argv: ['--etcd-endpoints', 'http://a'], says: /must be http:\/\/host:port/ },
    {
      name: 'a certificate without its key',
      argv: ['--etcd-cert-file', 'a'],
      says: /--etcd-cert-file and --etcd-key-file go together/,
    },
    {
      name: 'a user without a password file',
      argv: ['--etcd-username', 'a'],
      says: /--etcd-username and --etcd-password-file go together/,
    },
    { name: 'a port that is none', argv: ['--metrics-address', ':99999'], says: /at most 65535/ },
    {
      name: 'a word for a number',
      argv: ['--election-ttl-seconds', 'x'],
      says: /must be a whole number of seconds from 2 to 60/,
    },
    { name: 'a number out of bounds', argv: ['--election-ttl-seconds', '1'], says: /--election-ttl-seconds: "1": / },
    {
      name: 'a variable, by its name',
      argv: [],
      env: { GRPC_ETCD_LOG_LEVEL: 'loud' },
      says: /GRPC_ETCD_LOG_LEVEL: "loud": /,
    },
    {
      name: 'an unknown key of the file, by file and key',
      argv: ['--config', file('etcdEndpoint: x')],
      says: /\.yaml: etcdEndpoint: there is no such setting/,
    },
    { name: 'a file that is no mapping', argv: ['--config', file('- a')], says: /must hold a YAML mapping/ },
    { name: 'a file that is not there', argv: ['--config', join(directory, 'none')], says: /no such file/ },
    {
      name: 'a key prefix without its slash',
      argv: ['--key-prefix', 'grpc'],
      says: /must be empty or segments that each end in "\/"/,
    },
    { name: 'a state prefix where targets live', argv: ['--state-prefix', 'grpc/'], says: /must start with "_"/ },
    { name: 'an operator name that is no label', argv: ['--operator-name', 'a/b'], says: /must be a DNS label/ },
  ]
  for (const { name, argv, env = {}, says } of refused) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => loadConfig(argv, env),
        (error) => error instanceof ConfigError && says.test(error.message),
      )
    })
  }

  test('is described by --help, setting by setting', () => {
    const text = describeSettings()
    for (const name of Object.keys(loadConfig([], {}))) {
      assert.match(text, new RegExp(`--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} `))
    }
  })
})
