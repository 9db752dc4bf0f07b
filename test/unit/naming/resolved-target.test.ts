/** What the channels to one target are told, with a target that changes when the test says so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { encodeEndpoint } from '../../../src/naming/endpoint.ts'
import { createResolvedTarget } from '../../../src/naming/resolved-target.ts'
import type { Follower } from '../../../src/naming/target-watches.ts'
import { EndpointView } from '../../../src/naming/view.ts'
import { silentLog } from '../../../src/runtime/log.ts'

test('a channel that was busy is told the last of the lists that it missed, and no other', async () => {
  const view = new EndpointView()
  const followers: Follower[] = []
  const resolved = createResolvedTarget({
    target: 'foo',
    targets: {
      follow: (_target, follower) => {
        followers.push(follower)
        return () => undefined
      },
      close: () => undefined,
    },
    emptyGraceMs: 0,
    seed: 1,
    log: silentLog,
  })
  const told: string[] = []
  const leave = resolved.listen((resolution) => {
    if (resolution.kind === 'addresses') told.push(resolution.addresses.map(({ addr }) => addr).join())
  })
  const change = (addr: string, revision: number): void => {
    const entry = {
      key: 'foo/a',
      value: Buffer.from(encodeEndpoint({ addr })),
      lease: null,
      createRevision: 1,
      modRevision: revision,
    }
    const { updates } = view.apply(new Map([[entry.key, entry]]), [entry.key])
    for (const follower of followers) follower.onChange(updates, revision, view)
  }

  for (let revision = 1; revision <= 100; revision++) change(`10.0.0.1:${revision}`, revision)
  await turn()
  assert.deepEqual(told, ['10.0.0.1:100'])

  change('10.0.0.2:1', 101)
  leave()
  await turn()
  assert.equal(told.length, 1)
})
