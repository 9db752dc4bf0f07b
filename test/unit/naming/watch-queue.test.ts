/** A reader may be slow: what it gets is the right set in the end, and never more than a bounded number of items. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { WatchItem, WatchUpdate } from '../../../src/naming/view.ts'
import { createWatchQueue } from '../../../src/naming/watch-queue.ts'
import type { WatchQueue } from '../../../src/naming/watch-queue.ts'

const LONGEST = 256
const never = new AbortController().signal

const add = (key: string, addr: string): WatchUpdate => ({ op: 'add', key, endpoint: { addr, metadata: null } })
const item = (revision: number): WatchItem => ({ revision, updates: [add('foo/a', `${revision}:1`)] })

/** What a reader of the items has. */
function read(items: readonly WatchItem[]): ReadonlyMap<string, string> {
  const set = new Map<string, string>()
  for (const update of items.flatMap(({ updates }) => updates)) {
    if (update.op === 'add') set.set(update.key, update.endpoint.addr)
    else set.delete(update.key)
  }
  return set
}

/** Takes what is there. */
async function drain(queue: WatchQueue): Promise<readonly WatchItem[]> {
  const items: WatchItem[] = []
  const end = new Error('nothing more')
  queue.fail(end)
  for (;;) {
    try {
      const taken = await queue.take(never)
      assert.ok(taken)
      items.push(taken)
    } catch (error) {
      assert.equal(error, end)
      return items
    }
  }
}

describe('a watch queue', () => {
  test('gives a reader that keeps up every item as it was', async () => {
    const queue = createWatchQueue()
    const items = Array.from({ length: LONGEST }, (_, n) => item(n))
    for (const each of items) queue.push(each)
    assert.deepEqual(await drain(queue), items)
  })

  test('wakes a reader that waits', async () => {
    const queue = createWatchQueue()
    const taking = queue.take(never)
    queue.push(item(1))
    assert.deepEqual(await taking, item(1))
  })

  test('ends the wait by the signal, and gives nothing after it', async () => {
    const queue = createWatchQueue()
    const aborting = new AbortController()
    const taking = queue.take(aborting.signal)
    aborting.abort()
    assert.equal(await taking, undefined)
    queue.push(item(1))
    assert.equal(await queue.take(aborting.signal), undefined)
  })

  test('fails after what came before, with the first failure, each time', async () => {
    const queue = createWatchQueue()
    const failure = new Error('refused')
    queue.push(item(1))
    queue.fail(failure)
    queue.fail(new Error('later'))
    assert.deepEqual(await queue.take(never), item(1))
    await assert.rejects(queue.take(never), failure)
    await assert.rejects(queue.take(never), failure)
  })

  test('keeps at most 256 items of however many came, the last of them with the newest revision', async () => {
    const queue = createWatchQueue()
    for (let revision = 1; revision <= 10_000; revision++) queue.push(item(revision))
    const items = await drain(queue)
    assert.equal(items.length, LONGEST)
    assert.deepEqual(items.at(-1), item(10_000))
  })

  test('keeps nothing of keys that came and went while nobody read', async () => {
    const queue = createWatchQueue()
    for (let revision = 1; revision < LONGEST; revision++) queue.push(item(revision))
    queue.push({ revision: 2_000, updates: [add('foo/stays', 'a:1')] })
    for (let n = 0; n < 50_000; n++) {
      queue.push({ revision: 2_001 + 2 * n, updates: [add(`foo/short-${n}`, 'a:1')] })
      queue.push({ revision: 2_002 + 2 * n, updates: [{ op: 'delete', key: `foo/short-${n}` }] })
    }
    const items = await drain(queue)
    assert.deepEqual(items.at(-1), { revision: 102_000, updates: [add('foo/stays', 'a:1')] })
  })

  test('fails a reader that waits', async () => {
    const queue = createWatchQueue()
    const failure = new Error('refused')
    const taking = queue.take(never)
    queue.fail(failure)
    await assert.rejects(taking, failure)
  })

  test('leads to the right set however much is merged, with no key twice in an item', async () => {
    const update = fc
      .tuple(fc.nat(5), fc.option(fc.nat(9)))
      .map(([key, addr]): WatchUpdate =>
        addr === null ? { op: 'delete', key: `foo/${key}` } : add(`foo/${key}`, `a:${addr}`),
      )
    const updates = fc.uniqueArray(update, { selector: ({ key }) => key, minLength: 1, maxLength: 6 })
    /** `true`: the reader takes one, if there is one. */
    const step = fc.oneof({ weight: 9, arbitrary: updates }, { weight: 1, arbitrary: fc.constant(true as const) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 200, maxLength: 700, size: 'max' }), async (steps) => {
        const queue = createWatchQueue()
        const pushed: WatchItem[] = []
        const taken: (WatchItem | undefined)[] = []
        let waiting = 0
        for (const each of steps) {
          if (each === true) {
            if (waiting > 0) taken.push(await queue.take(never))
            waiting = Math.max(0, waiting - 1)
            continue
          }
          const next = { revision: pushed.length + 1, updates: each }
          pushed.push(next)
          queue.push(next)
          waiting = Math.min(LONGEST, waiting + 1)
        }
        const items = [...taken.filter((each) => each !== undefined), ...(await drain(queue))]
        assert.deepEqual(read(items), read(pushed))
        assert.equal(items.at(-1)?.revision, pushed.at(-1)?.revision)
        for (const [index, { revision, updates: merged }] of items.entries()) {
          assert.ok(revision > (items[index - 1]?.revision ?? 0))
          assert.equal(new Set(merged.map(({ key }) => key)).size, merged.length)
        }
      }),
      // Long sequences take minutes to make small: a failure is to be told soon.
      { numRuns: 50, interruptAfterTimeLimit: 5_000, markInterruptAsFailure: true },
    )
  })
})
