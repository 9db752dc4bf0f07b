import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import * as errors from '../../../src/errors.ts'
import { errorFrom, fromSharedMs, plainOf, toSharedMs } from '../../../src/etcd/renewal-messages.ts'

describe('an error is the same on the other side', () => {
  const details = { code: 'some-code', target: 'etcd http://127.0.0.1:2379' }
  const cause = new Error('what was below')
  const cases = [
    new errors.UnavailableError('a', details),
    new errors.TimeoutError('b', { ...details, cause }),
    new errors.ForbiddenError('c', { ...details, cause: 'text' }),
    new errors.RejectedError('d', { ...details, cause: Symbol('not for messages') }),
    new errors.ConfigError('e', details),
  ]
  for (const error of cases) {
    test(error.name, () => {
      const back = errorFrom(structuredClone(plainOf(error)))
      assert.equal(back.constructor, error.constructor)
      assert.deepEqual(
        [back.name, back.message, back.code, back.target],
        [error.name, error.message, error.code, error.target],
      )
      assert.equal(back.cause !== undefined, error.cause !== undefined)
      if (error.cause instanceof Error) assert.match(String(back.cause), /what was below\n\s+at /)
    })
  }

  test('what no caller expects is a bug, with the stack of where it was', () => {
    for (const thrown of [new TypeError('x is not a function'), new errors.InvariantError('impossible'), 'text']) {
      const back = errorFrom(structuredClone(plainOf(thrown)))
      assert.ok(back instanceof errors.InvariantError)
      assert.equal(back.message, errors.describeError(thrown))
    }
    assert.match(String(errorFrom(plainOf(new TypeError('x'))).cause), /TypeError: x\n\s+at /)
  })
})

test('an instant that was sent by a thread with another start is the same one here, and never later', async () => {
  const source = new URL('../../../src/etcd/renewal-messages.ts', import.meta.url)
  const program = `
    import { parentPort } from 'node:worker_threads'
    import { toSharedMs } from ${JSON.stringify(source.href)}
    parentPort.postMessage(toSharedMs(performance.now()))
  `
  const entry = new URL(`data:text/javascript,${encodeURIComponent(program)}`)
  const startedMs = performance.now()
  const { promise, resolve } = Promise.withResolvers<number>()
  const thread = new Worker(entry)
  thread.once('message', resolve)
  const instantMs = fromSharedMs(await promise)
  assert.ok(instantMs <= performance.now())
  assert.ok(instantMs >= startedMs, 'well after this thread began: its own clock began later')
  await thread.terminate()
  assert.ok(fromSharedMs(toSharedMs(1_000)) <= 1_000)
})
