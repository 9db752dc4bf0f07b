/** The client and the single-object calls against a real API server: what each failure becomes, and that credentials stay secret. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { inspect } from 'node:util'
import { after, before, describe, it } from 'node:test'
import { ForbiddenError, RejectedError, TimeoutError, UnavailableError } from '../../../src/errors.ts'
import { createKubeClient, type KubeClient, type KubeRequest } from '../../../src/kube/client.ts'
import { applyStatus, getObject } from '../../../src/kube/single-object.ts'
import type { Fault } from '../../support/http-fault-proxy.ts'
import { never, startFixture, until, World, type Fixture } from './fixture.ts'
import { GADGETS, PODS, WIDGETS } from './kinds.ts'

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  return assert.fail('it succeeded')
}

const SECRET = 'token-that-nobody-may-see'

describe('the client', () => {
  let fixture: Fixture
  let directory: string
  let throughProxy: KubeClient
  before(async () => {
    fixture = await startFixture()
    directory = mkdtempSync(join(tmpdir(), 'kube-client-'))
    throughProxy = createKubeClient({ kubeconfig: fixture.proxy.kubeconfig })
  })
  after(async () => {
    await throughProxy.close()
    rmSync(directory, { recursive: true })
    await fixture.stop()
  })

  function kubeconfig(name: string, cluster: object, user: object): string {
    const file = join(directory, name)
    const named = {
      clusters: [{ name, cluster }],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
    }
    writeFileSync(file, JSON.stringify({ ...named, 'current-context': name }))
    return file
  }

  const cluster = (): object => ({ server: fixture.api.url, 'certificate-authority': fixture.api.caFile })

  const FAULTS: readonly {
    name: string
    request?: KubeRequest
    fault: Fault
    type: typeof ForbiddenError
    code: string
    retryAfterMs?: number
  }[] = [
    { name: '401', fault: { kind: 'answer', status: 401 }, type: ForbiddenError, code: '401' },
    { name: '403', fault: { kind: 'answer', status: 403 }, type: ForbiddenError, code: '403' },
    { name: '404', fault: { kind: 'answer', status: 404 }, type: RejectedError, code: '404' },
    { name: '410', fault: { kind: 'answer', status: 410 }, type: RejectedError, code: '410' },
    {
      name: '429',
      fault: { kind: 'answer', status: 429, headers: { 'retry-after': '7' } },
      type: UnavailableError,
      code: '429',
      retryAfterMs: 7_000,
    },
    { name: '500', fault: { kind: 'answer', status: 500 }, type: UnavailableError, code: '500' },
    {
      name: 'an answer that is no JSON',
      fault: { kind: 'body', edit: () => '<html>' },
      type: UnavailableError,
      code: 'undecodable',
    },
    { name: 'a broken connection', fault: { kind: 'cut' }, type: UnavailableError, code: 'UND_ERR_SOCKET' },
    {
      name: 'silence',
      request: { path: '/api', silenceMs: 300 },
      fault: { kind: 'silence' },
      type: TimeoutError,
      code: 'silent',
    },
    {
      name: 'a broken connection during a write, whose outcome is unknown',
      request: { method: 'PATCH', path: '/api', body: {} },
      fault: { kind: 'cut' },
      type: TimeoutError,
      code: 'UND_ERR_SOCKET',
    },
    {
      name: '504 for a write, whose outcome is unknown',
      request: { method: 'PATCH', path: '/api', body: {} },
      fault: { kind: 'answer', status: 504 },
      type: TimeoutError,
      code: '504',
    },
  ]
  for (const { name, request = { path: '/api' }, fault, type, code, retryAfterMs } of FAULTS) {
    it(`names request and server when it meets ${name}`, async () => {
      fixture.proxy.arm(() => true, fault)
      const asked = { ...request, query: { continue: SECRET } }
      const error = await errorOf(throughProxy.request(asked, never))
      assert(error instanceof type && error instanceof Error)
      assert(
        error.message.includes(`${request.method ?? 'GET'} /api`) && error.message.includes(fixture.proxy.url),
        error.message,
      )
      assert('code' in error)
      assert.equal(error.code, code)
      if (retryAfterMs !== undefined) assert(error instanceof UnavailableError && error.retryAfterMs === retryAfterMs)
      assert(!inspect(error, { depth: 9 }).includes(SECRET))
    })
  }

  it('says that the server is not reached, by its address', async () => {
    const listener = createServer().listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const address = listener.address()
    assert(address !== null && typeof address === 'object')
    listener.close()
    await once(listener, 'close')
    const client = createKubeClient({
      kubeconfig: kubeconfig('nobody', { server: `http://127.0.0.1:${address.port}` }, {}),
    })
    await assert.rejects(client.request({ method: 'PATCH', path: '/api', body: {} }, never), (error: unknown) => {
      return (
        error instanceof UnavailableError && error.code === 'ECONNREFUSED' && error.message.includes(`${address.port}`)
      )
    })
    await client.close()
  })

  it('calls a certificate that it can not trust forbidden, and says where to look', async () => {
    const client = createKubeClient({
      kubeconfig: kubeconfig('no-ca', { server: fixture.api.url }, { token: fixture.api.token }),
    })
    await assert.rejects(client.request({ path: '/version' }, never), (error: unknown) => {
      return error instanceof ForbiddenError && error.message.includes('certificate-authority')
    })
    await client.close()
  })

  it('never shows a token that was refused', async () => {
    const client = createKubeClient({ kubeconfig: kubeconfig('bad-token', cluster(), { token: SECRET }) })
    const error = await errorOf(client.request({ path: '/version' }, never))
    assert(error instanceof ForbiddenError && error.code === '401')
    assert(!inspect(error, { depth: 9 }).includes(SECRET))
    await client.close()
  })

  it('takes up a token file that was replaced, within the request that is refused', async () => {
    const tokenFile = join(directory, 'token')
    writeFileSync(tokenFile, `${SECRET}\n`)
    const client = createKubeClient({ kubeconfig: kubeconfig('token-file', cluster(), { tokenFile: 'token' }) })
    await assert.rejects(client.request({ path: '/version' }, never), ForbiddenError)
    writeFileSync(tokenFile, `${fixture.api.token}\n`)
    await client.request({ path: '/version' }, never)
    await client.close()
  })

  it('takes up a certificate authority that was replaced', async () => {
    const caFile = join(directory, 'ca.crt')
    writeFileSync(caFile, readFileSync(new URL('other-ca.pem', import.meta.url)))
    const user = { token: fixture.api.token }
    const client = createKubeClient({
      kubeconfig: kubeconfig('ca', { server: fixture.api.url, 'certificate-authority': 'ca.crt' }, user),
    })
    await assert.rejects(client.request({ path: '/version' }, never), ForbiddenError)
    writeFileSync(caFile, readFileSync(fixture.api.caFile))
    await client.request({ path: '/version' }, never)
    await client.close()
  })

  it('runs an exec plugin for its token', async () => {
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: fixture.api.token },
    }
    const exec = {
      apiVersion: credential.apiVersion,
      command: 'echo',
      args: [JSON.stringify(credential)],
      interactiveMode: 'Never',
    }
    const client = createKubeClient({ kubeconfig: kubeconfig('exec', cluster(), { exec }) })
    await client.request({ path: '/version' }, never)
    await client.close()
    const broken = createKubeClient({
      kubeconfig: kubeconfig('exec-broken', cluster(), { exec: { ...exec, args: [SECRET] } }),
    })
    const error = await errorOf(broken.request({ path: '/version' }, never))
    assert(error instanceof UnavailableError && error.code === 'credentials')
    assert(!inspect(error, { depth: 9 }).includes(SECRET))
    await broken.close()
  })

  it('throws the reason of the signal that aborts a request or a stream', async () => {
    const reason = new Error('enough')
    const request = new AbortController()
    const silence = fixture.proxy.arm(() => true, { kind: 'silence' })
    const pending = throughProxy.request({ path: '/api' }, request.signal)
    const outcome = assert.rejects(pending, reason)
    await until('the request is on its way', () => silence.used === 1)
    request.abort(reason)
    await outcome
    const watch = new AbortController()
    const query = {
      watch: true,
      resourceVersion: '1',
      timeoutSeconds: 60,
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
    }
    const stream = await throughProxy.stream({ path: '/api/v1/pods', query }, watch.signal)
    const reading = (async () => {
      for await (const chunk of stream) assert(chunk.length > 0)
    })()
    watch.abort(reason)
    await assert.rejects(reading, reason)
  })

  for (const kind of [PODS, WIDGETS]) {
    const { resource } = kind
    it(`tells a ${resource.kind} that is absent from one that is there`, async () => {
      const world = await World.create(fixture.admin, kind, ['here'])
      const found = await getObject(fixture.admin, resource, world.key('here'), never)
      assert(found.kind === 'found')
      assert.equal(found.object.metadata.uid, world.live.get('here'))
      assert.deepEqual(await getObject(fixture.admin, resource, world.key('gone'), never), { kind: 'absent' })
    })

    it(`applies the status of a ${resource.kind}, but not over another object or version`, async () => {
      const world = await World.create(fixture.admin, kind, ['here'])
      const key = world.key('here')
      const uid = world.live.get('here') ?? ''
      const version = async (): Promise<string> => (await world.truth()).get(key)?.split('@')[1] ?? ''
      const patch = { uid, resourceVersion: await version(), fieldManager: 'contract', status: { message: 'first' } }

      const first = await applyStatus(fixture.admin, resource, key, patch, never)
      assert(first.kind === 'applied')
      assert.equal(await version(), first.resourceVersion)
      const second = { ...patch, resourceVersion: first.resourceVersion, status: { message: 'second' } }
      assert.equal((await applyStatus(fixture.admin, resource, key, second, never)).kind, 'applied')

      const another = '9f0f2f3c-0000-4000-8000-000000000000'
      for (const stale of [patch, { ...patch, uid: another }]) {
        assert.deepEqual(await applyStatus(fixture.admin, resource, key, stale, never), { kind: 'conflict' })
      }
      assert.deepEqual(await applyStatus(fixture.admin, resource, world.key('gone'), patch, never), { kind: 'absent' })
      const found = await getObject(fixture.admin, resource, key, never)
      assert(found.kind === 'found')
      assert.match(JSON.stringify(found.object['status']), /"message":"second"/)
    })
  }

  it('does not take a kind that is not served for an object that is gone', async () => {
    await assert.rejects(getObject(fixture.admin, GADGETS.resource, 'default/any', never), (error: unknown) => {
      return error instanceof RejectedError && error.code === '404'
    })
  })

  it('closes its connections', async () => {
    const client = createKubeClient({ kubeconfig: fixture.proxy.kubeconfig })
    const stream = await client.stream({ path: '/api/v1/pods', query: { watch: true } }, never)
    const ended = (async () => {
      for await (const chunk of stream) assert(chunk.length > 0)
    })()
    const outcome = assert.rejects(ended, UnavailableError)
    await client.close()
    await outcome
  })
})
