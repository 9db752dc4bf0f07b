/** Whether a replica can act: what the watchdog makes of the answers it gets, round by round on a mocked clock. */
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import pino from 'pino'
import { createWatchdog, type Watchdog, type WatchdogDeps } from '../../../src/controllers/watchdog.ts'
import { UnavailableError } from '../../../src/errors.ts'

const ROUND_MS = 4_000
const away = new UnavailableError('not reached', { code: 'ECONNREFUSED', target: 'kubernetes' })
const never = new AbortController().signal

interface Bench {
  readonly watchdog: Watchdog
  /** What it did to others. */
  readonly told: string[]
  readonly rounds: (count: number) => Promise<void>
}

/** Runs `body` with a watchdog whose rounds come when the test says so. */
async function withWatchdog(given: Partial<WatchdogDeps>, body: (bench: Bench) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] })
  const stop = new AbortController()
  const told: string[] = []
  const watchdog = createWatchdog(
    {
      clusterUid: 'ours',
      askClusterUid: async () => 'ours',
      proveStores: async () => ({ kind: 'fresh' }),
      forget: (resource) => told.push(`forget ${resource}`),
      unwatched: () => false,
      onSeen: () => told.push('seen'),
      onChange: () => undefined,
      log: pino({ level: 'silent' }),
      ...given,
    },
    stop.signal,
  )
  try {
    const rounds = async (count: number): Promise<void> => {
      for (let round = 0; round < count; round += 1) {
        mock.timers.tick(ROUND_MS)
        for (let turns = 0; turns < 20; turns += 1) await Promise.resolve()
      }
    }
    await body({ watchdog, told, rounds })
  } finally {
    stop.abort()
    mock.timers.reset()
    await watchdog.running
  }
}

test('an answer of our own cluster says that Kubernetes was seen, and that is all', async () =>
  withWatchdog({}, async ({ watchdog, told, rounds }) => {
    await rounds(2)
    assert.deepEqual(told, ['seen', 'seen'])
    assert.equal(watchdog.trouble, null)
  }))

test('trouble begins with the first round without an answer and ends with a round that proves the stores (L12)', async () => {
  let up = true
  let proofs = 0
  const askClusterUid = async (): Promise<string> => {
    if (up) return 'ours'
    throw away
  }
  const proveStores = async () => ({ kind: 'fresh' as const, proofs: (proofs += 1) })
  await withWatchdog({ askClusterUid, proveStores }, async ({ watchdog, rounds }) => {
    await rounds(1)
    up = false
    await rounds(1)
    const { trouble } = watchdog
    assert.equal(trouble?.reason, 'not reached')
    assert.equal(trouble?.foreign, false)
    await rounds(2)
    assert.equal(watchdog.trouble?.sinceMs, trouble?.sinceMs)
    assert.equal(proofs, 0)
    up = true
    await rounds(1)
    assert.equal(watchdog.trouble, null)
    assert.equal(proofs, 1)
  })
})

test('the stores are proven now and then without a reason, and at once when one is not watched', async () => {
  let proofs = 0
  let unwatched = false
  const proveStores = async () => ({ kind: 'fresh' as const, proofs: (proofs += 1) })
  await withWatchdog({ proveStores, unwatched: () => unwatched }, async ({ rounds }) => {
    await rounds(16)
    assert.equal(proofs, 2)
    unwatched = true
    await rounds(1)
    assert.equal(proofs, 3)
  })
})

test('another cluster is trouble of its own kind, and is not taken for our Kubernetes (S15)', async () =>
  withWatchdog({ askClusterUid: async () => 'theirs' }, async ({ watchdog, told, rounds }) => {
    await rounds(1)
    assert.equal(watchdog.trouble?.foreign, true)
    assert.match(watchdog.trouble?.reason ?? '', /theirs.*not ours/)
    assert.deepEqual(told, [])
    await assert.rejects(watchdog.prove(never), { code: 'other-cluster' })
  }))

test('an API server that went back is read anew only after a second answer said so', async () => {
  const wentBack = { kind: 'went-back', resource: 'pods', store: '90', server: '50' } as const
  await withWatchdog({ proveStores: async () => wentBack }, async ({ watchdog, told, rounds }) => {
    await assert.rejects(watchdog.prove(never), { code: 'went-back' })
    assert.deepEqual(told, ['seen'])
    watchdog.doubt(away)
    await rounds(1)
    assert.deepEqual(told, ['seen', 'seen', 'forget pods'])
  })
})

test('what a proof elsewhere has shown stays trouble until a round has proven the opposite', async () =>
  withWatchdog({}, async ({ watchdog, rounds }) => {
    watchdog.doubt(away)
    assert.equal(watchdog.trouble?.reason, 'not reached')
    await rounds(1)
    assert.equal(watchdog.trouble, null)
  }))
