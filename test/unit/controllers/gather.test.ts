import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import pino from 'pino'
import { mayPublish, rivalOf } from '../../../src/controllers/gather.ts'
import { Records } from '../../../src/controllers/records.ts'
import { createStores } from '../../../src/controllers/stores.ts'
import { Targets } from '../../../src/controllers/targets.ts'
import { ForbiddenError } from '../../../src/errors.ts'
import type { Mirror } from '../../../src/etcd/mirror.ts'
import { encodeRecord, recordKey } from '../../../src/plan/record.ts'
import type { ServiceSource } from '../../../src/plan/sources.ts'
import { service } from '../../support/sources.ts'

const statePrefix = '_grpcetcd/test/'
const broken = { ok: false, problems: [] } as const

function world(services: readonly ServiceSource[], published: readonly ServiceSource[]) {
  const stores = createStores()
  stores.services.replace(new Map(services.map((item) => [item.key, item])), '1')
  const leases = { add: () => undefined, remove: () => undefined }
  const records = new Records({ statePrefix, leases, onChange: () => undefined, log: pino({ level: 'silent' }) })
  const entries = new Map(
    published.map(({ uid, key: name, target }) => {
      const value = Buffer.from(encodeRecord({ leases: [], target: target ?? '', service: name }))
      const key = recordKey(statePrefix, uid)
      return [key, { key, value, lease: null, createRevision: 1, modRevision: 1 }]
    }),
  )
  records.update({ entries }, [...entries.keys()])
  return { stores, records }
}

describe('a target that two GrpcServices ask for', () => {
  const incumbent = service({ name: 'incumbent', target: 'team/a', createdAt: '2026-02-01T00:00:00Z' })
  const older = service({ name: 'older', target: 'team/a', createdAt: '2026-01-01T00:00:00Z' })

  test('stays with the one that is published there, also while its spec can not be understood (S14)', () => {
    const ill = { ...incumbent, spec: broken }
    const { stores, records } = world([ill, older], [ill])
    assert.equal(rivalOf(stores, records, older, 'team/a'), 'demo/incumbent')
    assert.equal(mayPublish(stores, records, ill, 'team/a'), false)
  })

  test('is not kept from a valid one by one that never was', () => {
    const ill = { ...older, spec: broken }
    const { stores, records } = world([ill, incumbent], [])
    assert.equal(rivalOf(stores, records, incumbent, 'team/a'), null)
  })

  test('is not for a service that is published elsewhere: its target was moved by another key prefix', () => {
    const { stores, records } = world([incumbent], [{ ...incumbent, target: 'before/team/a' }])
    assert.equal(mayPublish(stores, records, incumbent, 'team/a'), false)
  })
})

test('a range that etcd forbids keeps nobody from leading; one that is still being read does (S14, S4)', () => {
  const mirrors: Mirror[] = []
  const targets = new Targets({
    openMirror() {
      const problem =
        mirrors.length === 0 ? new ForbiddenError('no', { code: 'permission-denied', target: 'etcd' }) : null
      const mirror: Mirror = {
        ready: false,
        problem,
        entries: new Map(),
        observed: 0,
        delivered: 0,
        whenReady: async () => undefined,
        apply: () => undefined,
        close: () => undefined,
      }
      mirrors.push(mirror)
      return mirror
    },
    needed: () => true,
    onChange: () => undefined,
  })
  targets.settle('forbidden')
  assert.equal(targets.incomplete, 0)
  targets.settle('reading')
  assert.equal(targets.incomplete, 1)
})
