import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { startEtcd } from '../../../dev/control-plane/etcd.ts'
import type { Etcd } from '../../../dev/control-plane/etcd.ts'
import { runCli, runCliInShell, startCli } from '../../support/cli.ts'
import type { RunningCli } from '../../support/cli.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'

describe('grpc-etcd watch', () => {
  let etcd: Etcd | undefined
  let targets = 0
  const cleanUps: (() => Promise<void>)[] = []
  before(async () => {
    etcd = await startEtcd()
  })
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) await cleanUp()
  })
  after(async () => {
    await etcd?.stop()
  })
  const here = (): string => etcd?.endpoint ?? ''
  const newTarget = (): string => `team/service-${++targets}`
  const put = (target: string, address: string, zone: string) =>
    etcd?.etcdctl('put', `${target}/${address}`, `{"Op":0,"Addr":"${address}","Metadata":{"zone":"${zone}"}}`)

  async function follow(args: readonly string[], endpoint = here()): Promise<RunningCli> {
    const cli = startCli(['watch', ...args, '--etcd-endpoints', endpoint])
    cleanUps.push(() => cli.dispose())
    await cli.untilStderr(/watching, Ctrl-C ends/)
    return cli
  }

  test('shows the whole set, then what came, changed and went, until Ctrl-C, which is no failure', async () => {
    const target = newTarget()
    await put(target, '10.0.0.1:50051', 'a')
    const cli = await follow([target])
    await put(target, '10.0.0.2:50051', 'a')
    await cli.untilLine(/\+/)
    await put(target, '10.0.0.1:50051', 'b')
    await cli.untilLine(/~/)
    await etcd?.etcdctl('del', `${target}/10.0.0.2:50051`)
    await cli.untilLine(/ - /)
    assert.deepEqual(
      cli.lines.map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{3}/, 'TIME').replace(/rev \d+ */, 'rev N  ')),
      [
        'TIME    10.0.0.1:50051         rev N  {"zone":"a"}',
        'TIME  + 10.0.0.2:50051         rev N  {"zone":"a"}',
        'TIME  ~ 10.0.0.1:50051         rev N  {"zone":"b"}  was {"zone":"a"}',
        'TIME  - 10.0.0.2:50051         rev N  {"zone":"a"}',
      ],
    )
    assert.match(await cli.stderr(), /^1 endpoint at revision \d+; watching, Ctrl-C ends\n?$/)
    assert.deepEqual(await cli.end('SIGINT'), { code: 0, signal: null })
  })

  test('-o json is one object a change, with the revision that etcd gave it', async () => {
    const target = newTarget()
    const cli = await follow([target, '-o', 'json'])
    await put(target, '10.0.0.1:50051', 'a')
    await cli.untilLine(/"add"/)
    const read: { readonly header: { readonly revision: number } } = JSON.parse(
      (await etcd?.etcdctl('get', 'x', '-w', 'json')) ?? '',
    )
    await put(target, '10.0.0.1:50051', 'b')
    await cli.untilLine(/"change"/)
    await etcd?.etcdctl('del', `${target}/10.0.0.1:50051`)
    await cli.untilLine(/"delete"/)
    const changes = cli.lines.map((line): Record<string, unknown> => JSON.parse(line))
    const { revision } = read.header
    const what = { key: `${target}/10.0.0.1:50051`, address: '10.0.0.1:50051' }
    const [a, b] = [{ zone: 'a' }, { zone: 'b' }]
    assert.partialDeepStrictEqual(changes, [
      { op: 'add', ...what, metadata: a, revision },
      { op: 'change', ...what, metadata: b, previous: { address: what.address, metadata: a }, revision: revision + 1 },
      { op: 'delete', ...what, metadata: b, revision: revision + 2 },
    ])
    assert.equal(changes.length, 3)
    assert.ok(changes.every(({ time }) => !Number.isNaN(Date.parse(String(time)))))
    assert.deepEqual(await cli.end('SIGTERM'), { code: 0, signal: null })
  })

  test('says that etcd is away and that it is back, once each, and goes on', async () => {
    const target = newTarget()
    const proxy = await startTcpProxy(etcd?.port ?? 0)
    cleanUps.push(() => proxy.close())
    const cli = await follow([target], `http://127.0.0.1:${proxy.port}`)
    proxy.refuse()
    await cli.untilStderr(/connection to etcd lost: /)
    await put(target, '10.0.0.1:50051', 'a')
    proxy.accept()
    await cli.untilStderr(/connection to etcd is back/)
    await cli.untilLine(/\+ 10\.0\.0\.1:50051/)
    await put(target, '10.0.0.2:50051', 'a')
    await cli.untilLine(/\+ 10\.0\.0\.2:50051/)
    const said = (await cli.stderr()).match(/connection to etcd (?:lost|is back)/g)
    assert.deepEqual(said, ['connection to etcd lost', 'connection to etcd is back'])
  })

  test('a value that is no endpoint is gone for clients, and said to be there', async () => {
    const target = newTarget()
    await put(target, '10.0.0.1:50051', 'a')
    const cli = await follow([target])
    await etcd?.etcdctl('put', `${target}/10.0.0.1:50051`, 'garbage')
    await cli.untilLine(/ - 10\.0\.0\.1:50051/)
    await cli.untilStderr(/10\.0\.0\.1:50051 holds no endpoint, clients skip it: invalid character 'g'/)
  })

  test('ends quietly when nobody reads it any more', async () => {
    const target = newTarget()
    await put(target, '10.0.0.1:50051', 'a')
    const args = ['watch', target, '--etcd-endpoints', here()]
    const piped = runCliInShell('{ "$@"; echo "code $?" >&2; } | head -n 1', args)
    const settled = piped.then(() => 'ended')
    // Only a write tells it that the pipe is closed.
    for (let n = 2; (await Promise.race([settled, put(target, `10.0.0.${n}:50051`, 'a')])) !== 'ended'; n++) {
      assert.ok(n < 250, 'it goes on')
    }
    const { stdout, stderr } = await piped
    assert.match(stdout, /^\S+ {4}10\.0\.0\.\d+:50051 .*\n$/)
    assert.match(stderr, /code 0\n$/)
    assert.doesNotMatch(stderr, /EPIPE|Error/)
  })

  test('fails when etcd can not be reached at the start', async () => {
    const proxy = await startTcpProxy(etcd?.port ?? 0)
    cleanUps.push(() => proxy.close())
    proxy.refuse()
    const { code, stderr } = await runCli(['watch', 'a', '--etcd-endpoints', `http://127.0.0.1:${proxy.port}`])
    assert.equal(code, 1)
    assert.match(stderr, /^grpc-etcd watch: can not reach etcd http:\S+: [^\n]+\n {2}do: [^\n]+\n$/)
  })
})
