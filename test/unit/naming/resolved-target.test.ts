/** What the channels to one target are told, with a target that changes when the test says so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { encodeEndpoint } from '../../../src/naming/endpoint.ts'
import { createResolvedTarget } from '../../../src/naming/resolved-target.ts'
import type { Resolution, ResolvedTarget } from '../../../src/naming/resolved-target.ts'
import type { Follower } from '../../../src/naming/target-watches.ts'
import { EndpointView } from '../../../src/naming/view.ts'
import { silentLog } from '../../../src/runtime/log.ts'

interface Stage {
  readonly resolved: ResolvedTarget
  /** What is under the target from now on: one address each, or none. */
  readonly change: (addrs: readonly string[], revision: number) => void
}

function createStage(emptyGraceMs = 0): Stage {
  const view = new EndpointView()
  const followers: Follower[] = []
  let keys: readonly string[] = []
  return {
    resolved: createResolvedTarget({
      target: 'foo',
      targets: {
        follow: (_target, follower) => {
          followers.push(follower)
          return () => undefined
        },
        close: () => undefined,
      },
      emptyGraceMs,
      seed: 1,
      log: silentLog,
    }),
    change(addrs, revision) {
      const entries = addrs.map((addr, at) => ({
        key: `foo/${at}`,
        value: Buffer.from(encodeEndpoint({ addr })),
        lease: null,
        createRevision: 1,
        modRevision: revision,
      }))
      const present = new Map(entries.map((entry) => [entry.key, entry]))
      const { updates } = view.apply(present, new Set([...keys, ...present.keys()]))
      keys = [...present.keys()]
      for (const follower of followers) follower.onChange(updates, revision, view)
    },
  }
}

const addrsOf = (resolution: Resolution): string =>
  resolution.kind === 'failed' ? resolution.error.message : resolution.addresses.map(({ addr }) => addr).join()

test('a channel that was busy is told the last of the lists that it missed, and no other', async () => {
  const { resolved, change } = createStage()
  const told: string[] = []
  const leave = resolved.listen((resolution) => told.push(addrsOf(resolution)))
  for (let revision = 1; revision <= 100; revision++) change([`10.0.0.1:${revision}`], revision)
  await turn()
  assert.deepEqual(told, ['10.0.0.1:100'])

  change(['10.0.0.2:1'], 101)
  leave()
  await turn()
  assert.equal(told.length, 1)
})

test('a channel that throws keeps the list from no other, and who joins meanwhile is told once', async (t) => {
  const { resolved, change } = createStage()
  const thrown = new Promise((resolve) => {
    t.mock.method(globalThis, 'queueMicrotask', (task: () => void) => {
      void Promise.resolve().then(task).catch(resolve)
    })
  })
  const told: string[] = []
  resolved.listen(() => {
    resolved.listen((resolution) => told.push(`late ${addrsOf(resolution)}`))
    throw new Error('of the application')
  })
  resolved.listen((resolution) => told.push(addrsOf(resolution)))
  change(['10.0.0.1:1'], 1)
  await turn()
  assert.match(String(await thrown), /of the application/)
  assert.deepEqual(told, ['10.0.0.1:1', 'late 10.0.0.1:1'])
})

for (const { graceMs, want } of [
  { graceMs: 0, want: ['10.0.0.1:1', ''] },
  { graceMs: 600, want: ['10.0.0.1:1', ''] },
  { graceMs: 700, want: ['10.0.0.1:1'] },
  { graceMs: 2 ** 40, want: ['10.0.0.1:1'] },
  { graceMs: Number.POSITIVE_INFINITY, want: ['10.0.0.1:1'] },
]) {
  test(`a target that is empty for 650 ms, with a grace of ${graceMs} ms`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { resolved, change } = createStage(graceMs)
    const told: string[] = []
    resolved.listen((resolution) => told.push(addrsOf(resolution)))
    change(['10.0.0.1:1'], 1)
    await turn()
    change([], 2)
    await turn()
    t.mock.timers.tick(325)
    // Nothing that can be dialled: the grace does not begin again.
    change(['nowhere'], 3)
    await turn()
    t.mock.timers.tick(325)
    assert.deepEqual(told, want)
  })
}
