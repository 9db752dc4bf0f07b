/** The programs of examples/naming do what they say, against real etcd and the package as it is published. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'

import { makeCertificates, type Certificates } from '../../dev/control-plane/certificates.ts'
import { startEtcd, type Etcd } from '../../dev/control-plane/etcd.ts'
import { freePort } from '../../dev/control-plane/free-port.ts'
import { enableAuth } from '../support/etcd-auth.ts'
import { eventually } from '../support/eventually.ts'
import { startExample, type Example } from '../support/example.ts'

const running: Example[] = []

function start(file: string, args: readonly string[], environment: Record<string, string>): Example {
  const example = startExample(file, args, environment)
  running.push(example)
  return example
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((example) => example.stop()))
})

const MANAGER_PRINTS = [
  /^added \[ '10\.0\.0\.7:50051 null' \]$/,
  /^replaced at revision \d+ \[ '10\.0\.0\.8:50051 "zone b"' \]$/,
  /^deleted \[\]$/,
]

async function assertManagerWorks(environment: Record<string, string>): Promise<void> {
  const manager = start('manager.ts', [], environment)
  await manager.until('its three lines', (lines) => lines.length === MANAGER_PRINTS.length)
  MANAGER_PRINTS.forEach((expected, index) => assert.match(manager.lines[index] ?? '', expected))
  assert.deepEqual(await manager.exited(), { code: 0, signal: null })
}

describe('the examples of the library', { timeout: 120_000 }, () => {
  let etcd: Etcd
  let environment: Record<string, string>
  before(async () => {
    etcd = await startEtcd()
    environment = { ETCD_HOSTS: etcd.endpoint }
  })
  after(async () => {
    await etcd.stop()
  })

  const registered = async (): Promise<string[]> => {
    const keys = await etcd.etcdctl('get', '--prefix', '--keys-only', 'demo/greeter/')
    return keys.split('\n').filter((key) => key !== '')
  }

  test('a server that stops is gone from etcd before it ends, and its clients move on without a failed call', async () => {
    const [going, staying] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
    const servers = [going, staying].map((address) => start('server.ts', [address], environment))
    for (const server of servers) await server.until('registered', (lines) => lines.length > 0)
    assert.deepEqual(servers[0]?.lines, [`registered demo/greeter/${going}`])
    assert.deepEqual(
      await registered(),
      [going, staying].sort().map((address) => `demo/greeter/${address}`),
    )

    const client = start('client.ts', [], environment)
    const answer = (address: string): string => `hello world, from ${address}`
    await client.until('calls to both servers', (lines) =>
      [going, staying].every((each) => lines.includes(answer(each))),
    )

    servers[0]?.terminate()
    await eventually('the key is gone', async () => (await registered()).join() === `demo/greeter/${staying}`)
    assert.ok(!servers[0]?.lines.includes('stopped'), 'the server still answers calls when its key is gone')
    await client.until('calls to the other one only', (lines) => {
      const last = lines.slice(-6)
      return last.every((line) => line === answer(staying))
    })
    assert.deepEqual(await servers[0]?.exited(), { code: 0, signal: null })
    assert.deepEqual(servers[0]?.lines.slice(-2), ['closed', 'stopped'])
    assert.deepEqual(
      client.lines.filter((line) => !line.startsWith('hello world, from ')),
      [],
      'no call failed',
    )
  })

  test('the manager adds, replaces and deletes', async () => {
    await assertManagerWorks(environment)
  })

  test('the watch prints the whole set, then what changes', async () => {
    const key = 'demo/watched/10.0.0.9:50051'
    const watch = start('watch.ts', ['demo/watched'], environment)
    await watch.until('the whole set', (lines) => lines.length === 1)
    assert.match(watch.lines[0] ?? '', /^revision \d+ no endpoints$/)
    await etcd.etcdctl('put', key, '{"Op":0,"Addr":"10.0.0.9:50051","Metadata":{"zone":"a"}}')
    await watch.until('the new endpoint', (lines) => lines.includes(` + ${key} {"zone":"a"}`))
    await etcd.etcdctl('del', key)
    await watch.until('the deletion', (lines) => lines.includes(` - ${key}`))
    watch.terminate()
    assert.deepEqual(await watch.exited(), { code: 0, signal: null })
  })
})

describe('the examples, with TLS and a user', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'grpc-etcd-examples-'))
  let certificates: Certificates
  let etcd: Etcd
  before(async () => {
    certificates = await makeCertificates({ directory })
    etcd = await startEtcd({ tls: certificates })
    await enableAuth(etcd, 'app', ['readwrite demo/'])
    writeFileSync(join(directory, 'password'), 'pass\n')
  })
  after(async () => {
    await etcd.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test('take both from the environment', async () => {
    await assertManagerWorks({
      ETCD_HOSTS: etcd.endpoint,
      ETCD_CA_FILE: certificates.caFile,
      ETCD_CERT_FILE: certificates.clientCertFile,
      ETCD_KEY_FILE: certificates.clientKeyFile,
      ETCD_USERNAME: 'app',
      ETCD_PASSWORD_FILE: join(directory, 'password'),
    })
  })
})
