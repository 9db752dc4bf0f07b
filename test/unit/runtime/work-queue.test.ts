import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { createRunner } from '../../../src/runtime/runner.ts'
import { WorkQueue } from '../../../src/runtime/work-queue.ts'

function drain(queue: WorkQueue): readonly string[] {
  const taken: string[] = []
  for (let key = queue.take(); key !== undefined; key = queue.take()) taken.push(key)
  return taken
}

describe('a work queue', () => {
  test('hands out keys in order of arrival, and a waiting key once however often it was added', () => {
    const queue = new WorkQueue(() => undefined)
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key)
    assert.deepEqual(drain(queue), ['a', 'b', 'c'])
  })

  test('never hands out a key twice at once, and remembers one that was added while it was worked on', () => {
    const queue = new WorkQueue(() => undefined)
    queue.add('a')
    assert.equal(queue.take(), 'a')
    queue.add('a')
    queue.add('a')
    assert.equal(queue.take(), undefined)
    queue.done('a')
    assert.equal(queue.take(), 'a')
    queue.done('a')
    assert.equal(queue.idle, true)
  })

  test('says when a key can be taken that could not before', () => {
    let ready = 0
    const queue = new WorkQueue(() => (ready += 1))
    queue.add('a')
    queue.add('a')
    assert.equal(ready, 1)
    queue.take()
    queue.add('a')
    assert.equal(ready, 1)
    queue.done('a')
    assert.equal(ready, 2)
  })

  test('a delayed key comes after its delay; of two delays the shorter counts; an add overtakes both', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const queue = new WorkQueue(() => undefined)
    queue.addAfter('a', 100)
    queue.addAfter('a', 50)
    queue.addAfter('a', 80)
    t.mock.timers.tick(49)
    assert.equal(queue.take(), undefined)
    t.mock.timers.tick(1)
    assert.deepEqual(drain(queue), ['a'])
    queue.done('a')
    queue.addAfter('a', 50)
    queue.add('a')
    assert.deepEqual(drain(queue), ['a'])
    queue.done('a')
    t.mock.timers.tick(1000)
    assert.deepEqual(drain(queue), [])
  })

  test('loses no key and doubles none, whatever the order of events', () => {
    const step = fc.tuple(fc.constantFrom('add', 'take', 'done'), fc.constantFrom('a', 'b', 'c'))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new WorkQueue(() => undefined)
        const owed = new Set<string>()
        const busy = new Set<string>()
        for (const [action, key] of steps) {
          if (action === 'add') {
            queue.add(key)
            owed.add(key)
          } else if (action === 'take') {
            const taken = queue.take()
            if (taken === undefined) assert.ok([...owed].every((other) => busy.has(other)))
            else {
              assert.ok(owed.delete(taken) && !busy.has(taken))
              busy.add(taken)
            }
          } else if (busy.delete(key)) queue.done(key)
        }
        for (const key of busy) queue.done(key)
        assert.deepEqual(new Set(drain(queue)), owed)
      }),
    )
  })
})

describe('a runner', () => {
  const noErrors = (): void => assert.fail('no run failed')

  test('works on several keys at a time, up to its limit', async () => {
    const gates = new Map<string, () => void>()
    const run = async (key: string): Promise<void> => new Promise((resolve) => gates.set(key, resolve))
    const runner = createRunner({ concurrency: 2, run, onError: noErrors }, new AbortController().signal)
    for (const key of ['a', 'b', 'c']) runner.add(key)
    assert.deepEqual([...gates.keys()], ['a', 'b'])
    gates.get('a')?.()
    await new Promise(setImmediate)
    assert.deepEqual([...gates.keys()], ['a', 'b', 'c'])
    for (const open of gates.values()) open()
    await runner.stop()
  })

  test('reports what a run throws and tries that key again, with growing pauses; the others go on (S14)', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const runs: string[] = []
    const pauses: number[] = []
    const runner = createRunner(
      {
        concurrency: 2,
        async run(key) {
          runs.push(key)
          if (key === 'bad') throw new Error('always')
        },
        onError: (_key, _error, retryInMs) => pauses.push(retryInMs),
      },
      new AbortController().signal,
    )
    runner.add('bad')
    runner.add('good')
    for (let i = 0; i < 4; i += 1) {
      await new Promise(setImmediate)
      t.mock.timers.tick(60_000)
    }
    await new Promise(setImmediate)
    assert.equal(runs.filter((key) => key === 'good').length, 1)
    assert.equal(runs.filter((key) => key === 'bad').length, 5)
    assert.ok((pauses[3] ?? 0) > (pauses[0] ?? 0))
    await runner.stop()
  })

  test('lets timers and I/O have their turn, even where a run that waits for nothing always asks for another', async () => {
    let runs = 0
    const runner = createRunner<string>(
      {
        concurrency: 4,
        async run(key) {
          runs += 1
          runner.add(key)
        },
        onError: noErrors,
      },
      new AbortController().signal,
    )
    runner.add('a')
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    assert.ok(runs > 1)
    await runner.stop()
  })

  test('that is stopped takes no further key and waits for the run under way', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const runs: string[] = []
    const run = async (key: string): Promise<void> => {
      runs.push(key)
      await promise
    }
    const runner = createRunner({ concurrency: 1, run, onError: noErrors }, new AbortController().signal)
    runner.add('a')
    runner.add('b')
    const stopped = runner.stop()
    resolve()
    await stopped
    assert.deepEqual(runs, ['a'])
  })
})
