/** The reflector against a real API server and every way we know of that a connection to one breaks. Same tests for each kind. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { answer, BROKEN_STREAMS, REFUSALS } from './faults.ts'
import { startFixture, Subject, until, World, type Fixture } from './fixture.ts'
import { PODS, WIDGETS } from './kinds.ts'

const NAMES = ['a', 'b', 'c']
/** Far below the default, so that a dead connection is noticed within a test. */
const SILENCE_MS = 400

describe('the reflector', () => {
  let fixture: Fixture
  before(async () => {
    fixture = await startFixture()
  })
  after(async () => {
    await fixture.stop()
  })

  async function within(
    kind: typeof PODS,
    work: (world: World, start: (silenceMs?: number) => Subject) => Promise<void>,
  ): Promise<void> {
    const world = await World.create(fixture.admin, kind, NAMES)
    const started: Subject[] = []
    try {
      await work(world, (silenceMs) => {
        const subject = new Subject(fixture.proxy, world, silenceMs)
        started.push(subject)
        return subject
      })
    } finally {
      for (const subject of started) await subject.stop()
    }
  }

  const seen = (matches: World['any']): number => fixture.proxy.requests.filter(matches).length

  for (const kind of [PODS, WIDGETS]) {
    describe(`of ${kind.resource.plural}`, () => {
      it('receives the whole set, then every change', async () => {
        await within(kind, async (world, start) => {
          const subject = start()
          await subject.settled()
          await world.add('new')
          await world.paint('a', 'red')
          await world.remove('b')
          await subject.settled()
          assert.equal(subject.store.get(world.key('a'))?.color, 'red')
          // A Pod that is deleted changes once more before it goes.
          const told = subject.changes.slice(NAMES.length).map(({ before, after }) => [before?.key, after?.key])
          const [created, painted] = [world.key('new'), world.key('a')]
          assert.deepEqual(told.slice(0, 2), [
            [undefined, created],
            [painted, painted],
          ])
          assert.deepEqual(told.at(-1), [world.key('b'), undefined])
          assert.deepEqual([seen(world.any), seen(world.watchLists)], [1, 1])
        })
      })

      for (const { name, reason, fault } of BROKEN_STREAMS) {
        it(`loses nothing when its watch is ${name}`, async () => {
          await within(kind, async (world, start) => {
            fixture.proxy.arm(world.watchLists, fault)
            const subject = start(reason === 'silent' ? SILENCE_MS : undefined)
            await subject.ready()
            await world.remove('a')
            await world.add('new')
            await subject.settled()
            // The connection may break after the store is complete.
            await until('the break is noticed', () => subject.reasons.length > 0)
            assert.equal(subject.reasons[0], reason)
            await world.add('newer')
            await subject.settled()
            if (reason !== 'silent')
              assert.equal(seen(world.watchLists), reason === 'expired' ? 2 : 1, 'lists only when it must')
          })
        })
      }

      for (const { reason, fault } of REFUSALS) {
        const name = fault.kind === 'answer' ? `HTTP ${fault.status}` : fault.kind
        it(`is not ready, and never empty, while its first request meets ${name}`, async () => {
          await within(kind, async (world, start) => {
            const armed = fixture.proxy.arm(world.any, fault, 2)
            const subject = start(SILENCE_MS)
            await until('the second refusal', () => subject.reasons.length === 2)
            assert.equal(subject.store.ready, false)
            await subject.settled()
            assert.deepEqual([armed.used, subject.reasons.slice(0, 2)], [2, [reason, reason]])
          })
        })

        it(`keeps what it has, and catches up, while its watch meets ${name}`, async () => {
          await within(kind, async (world, start) => {
            const subject = start(fault.kind === 'silence' ? SILENCE_MS : undefined)
            await subject.settled()
            const armed = fixture.proxy.arm(world.watches, fault, 1)
            fixture.proxy.cutAll()
            await world.remove('a')
            await world.add('new')
            await subject.settled()
            assert.equal(armed.used, 1)
            assert(subject.reasons.includes(reason), subject.reasons.join())
          })
        })
      }

      for (const code of [400, 422]) {
        it(`reads the set in pages from a server that refuses WatchList with ${code}`, async () => {
          await within(kind, async (world, start) => {
            fixture.proxy.arm(world.watchLists, answer(code, 'Invalid'), Infinity)
            const subject = start()
            await subject.settled()
            await world.paint('a', 'red')
            await subject.settled()
            assert.deepEqual(subject.reasons, [], 'the refusal costs no pause')
            fixture.proxy.arm(world.watches, answer(410, 'Expired'))
            fixture.proxy.cutAll()
            await until('it lists again', () => seen(world.lists) === 2)
            await subject.settled()
            assert.equal(seen(world.watchLists), 1, 'the server is asked for a WatchList only once')
            const relist = fixture.proxy.requests.findLast(world.lists)
            assert.equal(relist?.query.get('resourceVersionMatch'), 'NotOlderThan')
            assert.match(relist.query.get('resourceVersion') ?? '', /^[1-9]\d*$/)
          })
        })
      }

      it('takes a list without items for an error, not for an empty cluster', async () => {
        await within(kind, async (world, start) => {
          fixture.proxy.arm(world.watchLists, answer(400, 'BadRequest'), Infinity)
          const noItems = fixture.proxy.arm(world.lists, {
            kind: 'body',
            edit: (body) => body.replace('"items"', '"itmes"'),
          })
          const nullItems = fixture.proxy.arm(world.lists, {
            kind: 'body',
            edit: (body) => body.replace(/"items":.*/s, '"items":null}'),
          })
          const truncated = fixture.proxy.arm(world.lists, { kind: 'body', edit: (body) => body.slice(0, -20) })
          const subject = start()
          await until('three damaged lists', () => subject.reasons.length === 3)
          assert.equal(subject.store.ready, false)
          await subject.settled()
          assert.deepEqual([noItems.used, nullItems.used, truncated.used], [1, 1, 1])
          assert.deepEqual(subject.reasons, ['undecodable', 'undecodable', 'undecodable'])
        })
      })

      it('is not ready before a slow list is complete', async () => {
        await within(kind, async (world, start) => {
          fixture.proxy.arm(world.watchLists, {
            kind: 'lines',
            edit(line, _, to) {
              if (line.includes('initial-events-end')) setTimeout(() => to.write(`${line}\n`), 700)
              else to.write(`${line}\n`)
            },
          })
          const startedMs = performance.now()
          const subject = start()
          await subject.settled()
          assert(performance.now() - startedMs > 650)
          assert.equal(subject.changes.length, NAMES.length)
        })
      })

      it('starts the set again when it breaks off half-way', async () => {
        await within(kind, async (world, start) => {
          fixture.proxy.arm(world.watchLists, {
            kind: 'lines',
            edit: (line, index, to) => (index < 2 ? to.write(`${line}\n`) : to.cut()),
          })
          const subject = start()
          await until('the break is noticed', () => subject.reasons.length === 1)
          assert.equal(subject.store.ready, false)
          await subject.settled()
        })
      })

      it('waits as long as Retry-After says', async () => {
        await within(kind, async (world, start) => {
          fixture.proxy.arm(world.any, answer(429, 'TooManyRequests', { 'retry-after': '1' }))
          const startedMs = performance.now()
          const subject = start()
          await subject.settled()
          assert(performance.now() - startedMs >= 1_000)
          assert.deepEqual(subject.reasons, ['overloaded'])
        })
      })

      it('moves on with bookmarks, and resumes after them when the server ends the watch', async () => {
        await within(kind, async (world, start) => {
          // The API server sends a bookmark two seconds before the end of a watch.
          fixture.proxy.arm(world.watchLists, { kind: 'query', set: { timeoutSeconds: '3' } })
          const subject = start()
          await subject.settled()
          const listedAt = Number(subject.store.resourceVersion)
          await World.create(fixture.admin, kind, ['elsewhere'])
          await until('a bookmark', () => Number(subject.store.resourceVersion) > listedAt)
          assert.equal(subject.changes.length, NAMES.length)
          await until('the end of the watch', () => seen(world.watches) > 0)
          assert.equal(
            fixture.proxy.requests.find(world.watches)?.query.get('resourceVersion'),
            subject.store.resourceVersion,
          )
          assert.equal(subject.reasons[0], 'ended')
          await world.add('new')
          await subject.settled()
        })
      })

      for (const relist of [false, true]) {
        it(`sees what was deleted and re-created while it was cut off${relist ? ', also by a new list' : ''}`, async () => {
          await within(kind, async (world, start) => {
            const subject = start()
            await subject.settled()
            const oldUid = subject.store.get(world.key('b'))?.uid
            const outage = fixture.proxy.arm(world.any, { kind: 'cut' }, Infinity)
            fixture.proxy.cutAll()
            await world.remove('a')
            await world.remove('b')
            await world.add('b')
            if (relist) fixture.proxy.arm(world.watches, answer(410, 'Expired'))
            outage.disarm()
            await subject.settled()
            const told = subject.changes
              .slice(NAMES.length)
              .map(({ before, after }) => [before?.uid, after?.uid])
              .filter(([before, after]) => before !== after)
            assert.equal(told.length, 3)
            assert(told.some(([before, after]) => before === oldUid && after === undefined))
            assert(told.some(([before, after]) => before === undefined && after === world.live.get('b')))
          })
        })
      }

      it('contains a bug in shape to its object', async () => {
        await within(kind, async (world, start) => {
          const subject = start()
          await subject.settled()
          await world.add('new', 'unreadable')
          await world.paint('a', 'red')
          await until('red', () => subject.store.get(world.key('a'))?.color === 'red')
          await world.paint('a', 'unreadable')
          fixture.proxy.arm(world.watches, answer(410, 'Expired'))
          fixture.proxy.cutAll()
          await world.paint('c', 'red')
          await until('red', () => subject.store.get(world.key('c'))?.color === 'red')
          assert.equal(subject.store.get(world.key('a'))?.color, 'red', 'the last record stays')
          await world.paint('a', 'green')
          assert.equal(subject.store.get(world.key('new')), undefined)
          await world.paint('new', 'green')
          await subject.settled()
        })
      })
    })
  }
})
