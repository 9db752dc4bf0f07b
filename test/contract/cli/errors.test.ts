import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { makeCertificates } from '../../../dev/control-plane/certificates.ts'
import type { Certificates } from '../../../dev/control-plane/certificates.ts'
import { startEtcd } from '../../../dev/control-plane/etcd.ts'
import type { Etcd } from '../../../dev/control-plane/etcd.ts'
import { freePort } from '../../../dev/control-plane/free-port.ts'
import { runCli } from '../../support/cli.ts'

/** Runs it, expects a failure, and returns what it said. */
async function failure(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(args)
  assert.deepEqual([code, stdout], [1, ''], stderr)
  assert.doesNotMatch(stderr, /^ +at /m, 'no stack trace')
  return stderr
}

describe('what grpc-etcd says when', () => {
  test('nothing listens there', async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`
    const said = await failure('list', 'a', '--etcd-endpoints', endpoint)
    assert.ok(said.startsWith(`grpc-etcd list: can not reach etcd ${endpoint}: connect ECONNREFUSED`), said)
    assert.match(said, /\n {2}do: check that etcd runs there/)
  })

  test('the arguments are wrong: code 2, and where the help is', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['lits'], /there is no command "lits"; did you mean list\? See grpc-etcd --help\n$/],
      [['unheard-of'], /there is no command "unheard-of"; see grpc-etcd --help\n$/],
      [['put', 'a'], /ADDRESS is missing\nUsage: grpc-etcd put TARGET ADDRESS \[flags\]; see grpc-etcd put --help/],
      [['list', 'a', '--endpoints', 'b'], /--endpoints: there is no such setting; did you mean --etcd-endpoints\?/],
      [['list', 'etcd:///'], /^grpc-etcd: TARGET: "etcd:\/\/\/": it names no target; write etcd:\/\/\/my-service\n$/],
      [['put', 'a', 'b:1', '--metadata', '-h'], /--metadata: "-h": is no JSON/],
      [['list', 'a', '--etcd-ca-file', 'ca.crt'], /http:\/\/127\.0\.0\.1:2379 would be spoken to in clear text/],
      [
        ['list', 'a', '--etcd-ca-file', '/none', '--etcd-endpoints', 'https://127.0.0.1:1'],
        /can not read \/none: ENOENT/,
      ],
    ]
    for (const [args, says] of cases) {
      const { code, stdout, stderr } = await runCli(args)
      assert.deepEqual([code, stdout], [2, ''])
      assert.match(stderr, says)
    }
  })

  test('it is asked for help', async () => {
    const { code, stdout } = await runCli(['--help'])
    assert.equal(code, 0)
    assert.deepEqual(await runCli(['help']), { code, stdout, stderr: '' })
    for (const command of ['list', 'watch', 'put', 'delete', 'operator']) {
      assert.match(stdout, new RegExp(`^  ${command} `, 'm'))
      const help = await runCli([command, '--help'])
      assert.equal(help.code, 0)
      assert.deepEqual(await runCli(['help', command]), help)
      assert.deepEqual(
        [stdout, help.stdout].flatMap((text) => text.split('\n')).filter((line) => line.length > 80),
        [],
        'it fits a terminal',
      )
      if (command === 'operator') continue
      assert.match(
        help.stdout,
        new RegExp(`Usage: grpc-etcd ${command} TARGET.*Examples:\n.*\n.*\n\nExit codes: `, 's'),
      )
      assert.match(help.stdout, /--etcd-endpoints URLS +.*\(default:\s+http:\/\/127\.0\.0\.1:2379\)/)
      assert.doesNotMatch(help.stdout, /--kubeconfig|--operator-name/)
    }
  })
})

describe('what grpc-etcd says of an etcd', () => {
  let etcd: Etcd | undefined
  before(async () => {
    etcd = await startEtcd()
  })
  after(async () => {
    await etcd?.stop()
  })
  const here = (): string => etcd?.endpoint ?? ''

  test('that does not answer', async () => {
    etcd?.pause()
    const flags = ['--etcd-endpoints', here(), '--etcd-request-timeout-seconds', '1']
    const [read, written] = await Promise.all([
      failure('list', 'a', ...flags),
      failure('put', 'a', '10.0.0.1:50051', '--lease', 'a1', ...flags),
    ])
    etcd?.resume()
    assert.match(read, /did not answer within 1 s\n {2}do: check the network/)
    // It got as far as no connection: nothing was written, and nothing is said of that.
    assert.match(written, /did not answer within 1 s\n {2}do: check the network/)
  })

  test('that has no such lease', async () => {
    const said = await failure('put', 'a', '10.0.0.1:50051', '--lease', 'dead', '--etcd-endpoints', here())
    assert.match(said, /there is no such lease: it has expired or was revoked/)
  })

  test('that speaks no TLS', async () => {
    const said = await failure('list', 'a', '--etcd-endpoints', here().replace('http:', 'https:'))
    assert.match(said, /do: it does not seem to speak TLS: write http:\/\//)
  })
})

describe('what grpc-etcd says of an etcd with TLS', () => {
  let directory = ''
  let etcd: Etcd | undefined
  let tls: Certificates | undefined
  let other: Certificates | undefined
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grpc-etcd-cli-tls-'))
    tls = await makeCertificates({ directory: join(directory, 'right') })
    other = await makeCertificates({ directory: join(directory, 'other') })
    etcd = await startEtcd({ tls })
  })
  after(async () => {
    await etcd?.stop()
    await rm(directory, { recursive: true })
  })
  const list = () => ['list', 'a', '--etcd-endpoints', etcd?.endpoint ?? '']
  const own = (certificates: Certificates | undefined) => [
    '--etcd-cert-file',
    certificates?.clientCertFile ?? '',
    '--etcd-key-file',
    certificates?.clientKeyFile ?? '',
  ]
  const trust = (certificates: Certificates | undefined) => ['--etcd-ca-file', certificates?.caFile ?? '']

  test('to who has the right files: nothing', async () => {
    assert.equal((await runCli([...list(), ...trust(tls), ...own(tls)])).code, 0)
  })

  test('to who speaks plainly', async () => {
    const said = await failure('list', 'a', '--etcd-endpoints', (etcd?.endpoint ?? '').replace('https:', 'http:'))
    assert.match(said, /do: .*if it is etcd with TLS, write https:\/\//)
  })

  test('to who trusts nobody, or another authority', async () => {
    assert.match(await failure(...list()), /do: give the CA that signed the certificate of etcd as --etcd-ca-file/)
    const said = await failure(...list(), ...trust(other))
    assert.match(said, /do: check that the CA in \S+other\/ca\.crt signed the certificate of etcd/)
  })

  test('to who shows no certificate, or a stranger’s', async () => {
    for (const files of [[], own(other)]) {
      assert.match(
        await failure(...list(), ...trust(tls), ...files),
        /do: etcd wants a client certificate that it trusts/,
      )
    }
  })

  test('to who expects another name', async () => {
    const said = await failure(...list(), ...trust(tls), ...own(tls), '--etcd-server-name', 'etcd.example.com')
    assert.match(said, /altnames.*\n {2}do: .*--etcd-server-name/)
  })

  test('to who mixed up the files', async () => {
    const mixed = ['--etcd-cert-file', tls?.clientCertFile ?? '', '--etcd-key-file', other?.clientKeyFile ?? '']
    assert.match(await failure(...list(), ...trust(tls), ...mixed), /TLS files can not be used.*\n.*belong together/)
  })
})

describe('what grpc-etcd says of an etcd with users', () => {
  let directory = ''
  let etcd: Etcd | undefined
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grpc-etcd-cli-auth-'))
    await writeFile(join(directory, 'right'), 'pass\n')
    await writeFile(join(directory, 'wrong'), 'word\n')
    etcd = await startEtcd()
    const commands = ['user add root:secret', 'user grant-role root root', 'role add team', 'user add app:pass']
    for (const command of [...commands, 'user grant-role app team', 'auth enable'])
      await etcd.etcdctl(...command.split(' '))
  })
  after(async () => {
    await etcd?.stop()
    await rm(directory, { recursive: true })
  })
  const flags = (password?: string) => [
    '--etcd-endpoints',
    etcd?.endpoint ?? '',
    ...(password === undefined ? [] : ['--etcd-username', 'app', '--etcd-password-file', join(directory, password)]),
  ]

  test('to who does not say who he is', async () => {
    const said = await failure('list', 'a', ...flags())
    assert.match(said, /asks for a user\n {2}do: give --etcd-username and --etcd-password-file/)
  })

  test('to who has a wrong password', async () => {
    const said = await failure('list', 'a', ...flags('wrong'))
    assert.match(said, /does not know user "app" with this password\n {2}do: check .* password in \S+wrong\n/)
    assert.doesNotMatch(said, /word\n$/)
  })

  test('to who may not: the command that helps, and it does', async () => {
    const address = '10.0.0.1:50051'
    for (const [needs, args] of [
      ['read', ['list', 'team/a']],
      ['read', ['watch', 'team/a']],
      ['readwrite', ['put', 'team/a', address]],
      ['readwrite', ['delete', 'team/a', address]],
    ] as const) {
      const said = await failure(...args, ...flags('right'))
      const may = needs === 'read' ? 'read' : 'read and write'
      assert.match(
        said,
        new RegExp(`etcd user "app" may not ${may} team/a/\n  do: etcdctl role grant-permission <role> ${needs} `),
      )
    }
    const said = await failure('put', 'team/a', address, ...flags('right'))
    const command = /do: etcdctl (.*?) {2}\(/.exec(said)?.[1]?.replace('<role>', 'team').split(' ') ?? []
    await etcd?.etcdctl('--user=root:secret', ...command)
    for (const args of [
      ['put', 'team/a', address],
      ['list', 'team/a'],
      ['delete', 'team/a', address],
    ]) {
      assert.equal((await runCli([...args, ...flags('right')])).code, 0)
    }
  })
})
