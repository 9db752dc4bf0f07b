/** The reflector through what happens to clusters: API servers restart, CRDs come late, collections are large. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createKubeClient } from '../../../src/kube/client.ts'
import { installCrd, never, startFixture, Subject, until, World, type Fixture } from './fixture.ts'
import { GADGETS, PODS, WIDGETS } from './kinds.ts'

describe('the reflector over the life of a cluster', () => {
  let fixture: Fixture
  before(async () => {
    fixture = await startFixture()
  })
  after(async () => {
    await fixture.stop()
  })

  it('waits for a CRD that is not installed yet, without being ready', async () => {
    const world = await World.create(fixture.admin, GADGETS)
    const subject = new Subject(fixture.proxy, world)
    try {
      await until('two looks in vain', () => subject.reasons.length >= 2)
      assert.deepEqual([subject.store.ready, subject.reasons.every((reason) => reason === 'not-found')], [false, true])
      await installCrd(fixture.admin, GADGETS)
      await world.add('first')
      await subject.settled()
    } finally {
      await subject.stop()
    }
  })

  it('reads 2,000 objects in pages, all before it is ready, and starts again when a page has expired', async () => {
    const count = 2_000
    const world = await World.create(fixture.admin, WIDGETS)
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < count) await world.add(`w-${next++}`)
    }
    await Promise.all(Array.from({ length: 16 }, worker))

    const refused = {
      kind: 'answer',
      status: 422,
      body: { kind: 'Status', message: 'no WatchList', code: 422 },
    } as const
    fixture.proxy.arm(world.watchLists, refused, Infinity)
    const expired = {
      kind: 'answer',
      status: 410,
      body: { kind: 'Status', message: 'too old', code: 410, reason: 'Expired' },
    } as const
    const thirdPage = fixture.proxy.arm(
      (request) => world.lists(request) && fixture.proxy.requests.filter(world.lists).length === 3,
      expired,
    )
    const overloaded = { kind: 'answer', status: 503, body: { kind: 'Status', message: 'busy', code: 503 } } as const
    const fifthPage = fixture.proxy.arm(
      (request) => world.lists(request) && fixture.proxy.requests.filter(world.lists).length === 5,
      overloaded,
    )
    const subject = new Subject(fixture.proxy, world)
    try {
      await subject.settled(30_000)
      assert.deepEqual(
        [subject.store.size, subject.changes.length, thirdPage.used, fifthPage.used],
        [count, count, 1, 1],
      )
      const pages = fixture.proxy.requests.filter(world.lists)
      // Two pages, one expired; one page, one to be asked for again, three more.
      assert.deepEqual(
        pages.map((page) => page.query.has('continue')),
        [false, true, true, false, true, true, true, true],
      )
      assert(pages.every((page) => page.query.get('limit') === '500'))
      assert(pages.every((page) => !(page.query.has('continue') && page.query.has('resourceVersionMatch'))))
      assert(pages.every((page) => page.query.get('resourceVersion') !== '0'))
    } finally {
      await subject.stop()
    }
  })

  it('is in step again after the API server restarted', async () => {
    const world = await World.create(fixture.admin, PODS, ['a', 'b'])
    const subject = new Subject(fixture.proxy, world)
    try {
      await subject.settled()
      const restarted = fixture.api.restart()
      await until('the loss is noticed', () => subject.reasons.length > 0)
      assert.equal(subject.store.size, 2)
      await restarted
      await world.add('new')
      await subject.settled()
    } finally {
      await subject.stop()
    }
  })

  it('does not let watches delay other requests', async () => {
    const client = createKubeClient({ kubeconfig: fixture.api.kubeconfig })
    const ended = new AbortController()
    try {
      const query = { watch: true, timeoutSeconds: 60 }
      for (let open = 0; open < 30; open += 1) await client.stream({ path: '/api/v1/pods', query }, ended.signal)
      await client.request({ path: '/version' }, AbortSignal.any([never, AbortSignal.timeout(5_000)]))
    } finally {
      ended.abort()
      await client.close()
    }
  })
})
