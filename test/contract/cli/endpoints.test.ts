import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { freePort } from '../../../dev/control-plane/free-port.ts'
import { startEtcd } from '../../../dev/control-plane/etcd.ts'
import type { Etcd } from '../../../dev/control-plane/etcd.ts'
import { runCli, runCliInShell } from '../../support/cli.ts'
import type { Finished } from '../../support/cli.ts'

describe('grpc-etcd list, put and delete', () => {
  let etcd: Etcd | undefined
  let targets = 0
  before(async () => {
    etcd = await startEtcd()
  })
  after(async () => {
    await etcd?.stop()
  })
  const here = (): string => etcd?.endpoint ?? ''
  const ctl = async (...args: string[]): Promise<string> => (await etcd?.etcdctl(...args)) ?? ''
  const cli = (...args: string[]): Promise<Finished> => runCli([...args, '--etcd-endpoints', here()])
  const newTarget = (): string => `team/service-${++targets}`

  test('put creates, changes, and tells what was there', async () => {
    const target = newTarget()
    const key = `${target}/10.0.0.7:50051`
    const created = await cli('put', target, '10.0.0.7:50051', '--metadata', '{"zone":"b","canary":"<no>"}')
    assert.match(created.stdout, new RegExp(`^${key} created, revision \\d+\n$`))
    const value = String.raw`{"Op":0,"Addr":"10.0.0.7:50051","Metadata":{"canary":"\u003cno\u003e","zone":"b"}}`
    assert.equal(await ctl('get', key, '--print-value-only'), `${value}\n`)

    const again = await cli('put', target, '10.0.0.7:50051', '--metadata', '{"zone":"b","canary":"<no>"}')
    assert.match(again.stdout, /unchanged, revision \d+\n$/)

    const changed = await cli('put', target, '10.0.0.7:50051')
    assert.match(
      changed.stdout,
      /changed, revision \d+ \(it had metadata \{"canary":"<no>","zone":"b"\}, no lease\)\n$/,
    )
    assert.deepEqual([created.code, again.code, changed.code], [0, 0, 0])
  })

  test('put without a lease warns that the key stays, and that it leaves the lease it had', async () => {
    const target = newTarget()
    const lease = /lease (\w+) granted/.exec(await ctl('lease', 'grant', '600'))?.[1] ?? ''
    const leased = await cli('put', target, '10.0.0.7:50051', '--lease', lease)
    assert.equal(leased.stderr, '')
    const { stderr } = await cli('put', target, '10.0.0.7:50051')
    const command = `grpc-etcd delete ${target} 10.0.0.7:50051`
    assert.equal(
      stderr,
      `warning: it no longer goes with lease ${lease}; without --lease the key stays until somebody deletes it: ${command}\n`,
    )
  })

  test('a target is given plainly or as clients dial it, an address in any spelling', async () => {
    const target = newTarget()
    const { stdout } = await cli('put', `etcd:///${target}`, '[2001:DB8:0::7]:50051')
    assert.match(stdout, new RegExp(`^${target}/\\[2001:db8::7\\]:50051 created`))
    assert.match((await cli('list', target)).stdout, /^\[2001:db8::7\]:50051 /m)
    assert.equal((await cli('delete', `etcd:///${target}`, '[2001:DB8:0::7]:50051')).code, 0)
  })

  test('list is an aligned table, without colours in a pipe, that shows leases and what clients skip', async () => {
    const target = newTarget()
    const lease = /lease (\w+) granted/.exec(await ctl('lease', 'grant', '600'))?.[1] ?? ''
    await cli('put', target, '10.0.0.7:50051', '--lease', lease, '--metadata', '{"zone":"a"}')
    await ctl('put', `${target}/10.0.0.8:50051`, '10.0.0.8:50051')
    await ctl('put', `${target}/first`, String.raw`{"Op":0,"Addr":"10.0.0.9:50051","Metadata":"\u001b[31m"}`)
    const { code, stdout, stderr } = await runCli(['list', target, '--etcd-endpoints', here()], { FORCE_COLOR: '1' })
    const table = stdout.replaceAll(/\b(?:59\d|600)\/600s/g, 'TTL/600s').replaceAll(/ \d+ {3,}/g, ' REV       ')
    assert.equal(
      table,
      `ADDRESS         REVISION  LEASE             TTL       METADATA      NOTE
10.0.0.7:50051  REV       ${lease}  TTL/600s  {"zone":"a"}
10.0.0.8:50051  REV       -                 -         -             no endpoint, clients skip it: invalid character '.' after top-level value
10.0.0.9:50051  REV       -                 -         ${String.raw`"\u001b[31m"`}  key ends in first
`,
    )
    assert.deepEqual([code, stderr], [0, ''])
  })

  test('list -o json is one object a line', async () => {
    const target = newTarget()
    await cli('put', target, '10.0.0.7:50051', '--metadata', '{"zone":"a"}')
    await ctl('put', `${target}/10.0.0.8:50051`, 'garbage')
    const { stdout } = await cli('list', target, '-o', 'json')
    const [good, bad, ...rest] = stdout
      .trimEnd()
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line))
    assert.deepEqual(rest, [])
    assert.partialDeepStrictEqual(good, {
      key: `${target}/10.0.0.7:50051`,
      address: '10.0.0.7:50051',
      metadata: { zone: 'a' },
      lease: null,
      ttlSeconds: null,
    })
    assert.partialDeepStrictEqual(bad, { key: `${target}/10.0.0.8:50051`, value: 'garbage' })
    assert.match(String(bad?.['problem']), /invalid character 'g'/)
  })

  test('an empty list is a sentence beside the output, and no failure', async () => {
    const target = newTarget()
    // A neighbour, not the target's.
    await cli('put', `${target}-other`, '10.0.0.7:50051')
    for (const args of [
      ['list', target],
      ['list', target, '-o', 'json'],
    ]) {
      assert.deepEqual(await cli(...args), {
        code: 0,
        stdout: '',
        stderr: `no endpoints: no key begins with "${target}/"\n`,
      })
    }
  })

  test('delete tells the revision, and fails when there is nothing to delete', async () => {
    const target = newTarget()
    await cli('put', target, '10.0.0.7:50051')
    const deleted = await cli('delete', target, '10.0.0.7:50051')
    assert.match(deleted.stdout, new RegExp(`^${target}/10\\.0\\.0\\.7:50051 deleted, revision \\d+\n$`))
    const again = await cli('delete', target, '10.0.0.7:50051')
    assert.deepEqual(
      [again.code, again.stdout, again.stderr],
      [1, '', `grpc-etcd delete: not there: ${target}/10.0.0.7:50051; grpc-etcd list ${target} shows what is\n`],
    )
  })

  test('delete removes what nobody should have written: garbage, other names, other spellings', async () => {
    const target = newTarget()
    for (const name of ['first', '[2001:DB8::7]:50051', '[2001:db8::7]:50051'])
      await ctl('put', `${target}/${name}`, 'x')
    assert.equal((await cli('delete', target, 'first')).code, 0)
    const both = await cli('delete', target, '[2001:DB8::7]:50051', '-o', 'json')
    const lines = both.stdout.trimEnd().split('\n')
    assert.deepEqual(
      lines.map((line): unknown => JSON.parse(line).key),
      [`${target}/[2001:DB8::7]:50051`, `${target}/[2001:db8::7]:50051`],
    )
    assert.equal(await ctl('get', '--prefix', `${target}/`), '')
  })

  test('an endpoint that does not answer is passed over for the next', async () => {
    const target = newTarget()
    const endpoints = `http://127.0.0.1:${await freePort()},${here()}`
    for (const args of [
      ['put', target, '10.0.0.7:50051'],
      ['list', target],
    ]) {
      const { code, stdout } = await runCli([...args, '--etcd-endpoints', endpoints])
      assert.equal(code, 0)
      assert.match(stdout, /10\.0\.0\.7:50051/)
    }
  })

  test('settings come from variables and from the file of the operator too', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'grpc-etcd-cli-'))
    const file = join(directory, 'operator.yaml')
    await writeFile(file, `etcdEndpoints: [${here()}]\nkeyPrefix: grpc/\nlogLevel: debug\n`)
    const target = newTarget()
    const byFile = await runCli(['put', target, '10.0.0.7:50051', '--config', file])
    assert.match(byFile.stdout, /created/)
    const byVariable = await runCli(['list', target], { GRPC_ETCD_ETCD_ENDPOINTS: here() })
    assert.match(byVariable.stdout, /^10\.0\.0\.7:50051/m)
    await rm(directory, { recursive: true })
  })

  test('a reader that has seen enough is no failure', async () => {
    const target = newTarget()
    await cli('put', target, '10.0.0.7:50051')
    const args = ['list', target, '--etcd-endpoints', here()]
    const { stdout, stderr } = await runCliInShell('{ "$@"; echo "code $?" >&2; } | true', args)
    assert.deepEqual([stdout, stderr], ['', 'code 0\n'])
  })
})
