import assert from 'node:assert/strict'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { makeCertificates } from '../../../dev/control-plane/certificates.ts'
import { startEtcd } from '../../../dev/control-plane/etcd.ts'
import type { Etcd } from '../../../dev/control-plane/etcd.ts'
import { ForbiddenError, GrpcEtcdError } from '../../../src/errors.ts'
import { createEtcdClient } from '../../../src/etcd/client.ts'
import { putNow, silent, soon } from '../../support/etcd-suite.ts'
import { eventually } from '../../support/eventually.ts'

describe('TLS', () => {
  let directory = ''
  let etcd: Etcd | undefined
  let untrusted: Etcd | undefined
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'etcd-tls-'))
    const [tls, other] = await Promise.all([
      makeCertificates({ directory: join(directory, 'right') }),
      makeCertificates({ directory: join(directory, 'other') }),
    ])
    ;[etcd, untrusted] = await Promise.all([startEtcd({ tls }), startEtcd({ tls: other })])
  })
  after(async () => {
    await Promise.all([etcd?.stop(), untrusted?.stop()])
    await rm(directory, { recursive: true })
  })

  function options(files: string) {
    const path = (name: string) => join(directory, files, name)
    return {
      endpoints: [etcd?.endpoint ?? ''],
      caFile: path('ca.crt'),
      certFile: path('client.crt'),
      keyFile: path('client.key'),
      requestTimeoutMs: 5_000,
    }
  }

  function client(files: string, given: { readonly serverName?: string; readonly anonymous?: boolean } = {}) {
    const { certFile, keyFile, ...rest } = options(files)
    const own = given.anonymous === true ? {} : { certFile, keyFile }
    return createEtcdClient({ ...rest, ...own, serverName: given.serverName, log: silent })
  }

  test('a client with the right certificates is served, also by another of the server certificate’s names', async () => {
    for (const serverName of [undefined, 'localhost']) {
      const right = client('right', serverName === undefined ? {} : { serverName })
      assert.match((await right.status(soon())).version, /^3\.7/)
      right.close()
    }
  })

  test('a server that can not be trusted is forbidden, not merely unavailable', async () => {
    for (const [files, given] of [
      ['other', {}],
      ['right', { serverName: 'not-its-name' }],
    ] as const) {
      const wrong = client(files, given)
      await assert.rejects(
        wrong.status(soon()),
        (error) => error instanceof ForbiddenError && error.code === 'bad-certificate',
      )
      wrong.close()
    }
  })

  test('one host whose certificate can not be trusted does not keep us from the others', async () => {
    const [good, bad, away] = [etcd?.endpoint ?? '', untrusted?.endpoint ?? '', 'https://127.0.0.1:1']
    for (const { endpoints, want } of [
      { endpoints: [bad, good], want: 'served' },
      { endpoints: [bad, away, good], want: 'served' },
      { endpoints: [bad, bad], want: 'ForbiddenError bad-certificate' },
      // That may be served again when it is back.
      { endpoints: [bad, away], want: 'UnavailableError UNAVAILABLE' },
      { endpoints: [away, bad], want: 'UnavailableError UNAVAILABLE' },
    ]) {
      const mixed = createEtcdClient({ ...options('right'), endpoints, log: silent })
      const outcome = await putNow(mixed, 'a').then(
        () => 'served',
        (error: unknown) => (error instanceof GrpcEtcdError ? `${error.name} ${error.code}` : String(error)),
      )
      assert.equal(outcome, want, endpoints.join())
      mixed.close()
    }
  })

  test('a client without a certificate is refused', async () => {
    const anonymous = client('right', { anonymous: true })
    await assert.rejects(anonymous.status(soon()))
    anonymous.close()
  })

  test('a key of another certificate, as in the middle of a rotation, is forbidden until the files fit', async () => {
    const keyFile = join(directory, 'other', 'client.key')
    const torn = createEtcdClient({ ...options('right'), keyFile, log: silent })
    await assert.rejects(
      torn.status(soon()),
      (error) => error instanceof ForbiddenError && error.code === 'unusable-certificate',
    )
    torn.close()
  })

  test('replaced certificate files are used without a new client', async () => {
    await cp(join(directory, 'other'), join(directory, 'mounted'), { recursive: true })
    const mounted = client('mounted')
    await assert.rejects(mounted.status(soon()))
    await cp(join(directory, 'right'), join(directory, 'mounted'), { recursive: true, force: true })
    await eventually('it is served', () => mounted.status(soon()).catch(() => undefined))
    mounted.close()
  })
})
