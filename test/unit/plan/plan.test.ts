/** The laws of the pure core: what is true of every plan for every state of etcd. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { KEYS_PER_LEASE } from '../../../src/plan/lease-assignment.ts'
import { MAX_OPS } from '../../../src/plan/txn.ts'
import { ConvergingService } from '../../support/converging-service.ts'
import { text } from '../../support/store-model.ts'

const keys = fc.integer({ min: 1, max: 40 }).map((host) => `demo/greeter/10.0.0.${host}:50051`)
const values = fc.dictionary(keys, fc.constantFrom('one', 'two')).map((pairs) => new Map(Object.entries(pairs)))
const foreign = fc.dictionary(
  fc.oneof(keys, fc.constantFrom('demo/greeter/', 'demo/greeter/garbage', 'demo/greeter/a/b')),
  fc.constantFrom('{', 'theirs'),
)

function many(count: number, from = 0): ReadonlyMap<string, string> {
  return new Map(
    Array.from({ length: count }, (_, i) => [`demo/greeter/10.${(from + i) >> 8}.${(from + i) & 255}.1:1`, 'v']),
  )
}

describe('a plan', () => {
  test('leads to what is desired, whatever was there, leaves foreign keys alone, and a second one is empty (S6, S12)', () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 4 }), foreign, (steps, theirs) => {
        const service = new ConvergingService()
        for (const [key, value] of Object.entries(theirs)) service.store.put(key, value, null)
        for (const wanted of steps) {
          service.converge(wanted)
          const revision = service.store.revision
          for (const [key, value] of Object.entries(theirs)) assert.equal(text(service.store.entries.get(key)), value)
          const own = [...service.entries()].filter(([key]) => theirs[key] === undefined)
          const want = [...wanted].filter(([key]) => theirs[key] === undefined)
          assert.deepEqual(new Map(own.map(([key, entry]) => [key, text(entry)])), new Map(want))
          service.converge(wanted)
          assert.equal(service.store.revision, revision)
        }
      }),
    )
  })

  test('keeps create revision, mod revision and lease of a key whose value stays (S8)', () => {
    fc.assert(
      fc.property(values, values, (before, after) => {
        const service = new ConvergingService()
        service.converge(before)
        const entries = service.entries()
        service.converge(after)
        for (const [key, value] of before) {
          if (after.get(key) === value) assert.deepEqual(service.entries().get(key), entries.get(key))
        }
      }),
    )
  })

  test('is one revision for a change that fits (S7)', () => {
    fc.assert(
      fc.property(values, values, (before, after) => {
        const service = new ConvergingService()
        service.converge(before)
        const { length } = service.commits
        service.converge(after)
        assert.ok(service.commits.length - length <= 1)
      }),
    )
  })

  test('names every lease in the Record in the very Txn that puts a key on it, and at most 250 keys on each (S11)', () => {
    const check = (service: ConvergingService): void => {
      const named = new Set(service.record?.leases.map(({ id }) => id))
      const counts = new Map<string, number>()
      for (const { lease, key } of service.entries().values()) {
        assert.ok(lease !== null && named.has(lease), `${key} is on a lease that the Record does not name`)
        counts.set(lease, (counts.get(lease) ?? 0) + 1)
      }
      for (const count of counts.values()) assert.ok(count <= KEYS_PER_LEASE)
    }
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(600), fc.nat(300)), { minLength: 1, maxLength: 4 }), (steps) => {
        const service = new ConvergingService()
        for (const [count, from] of steps) service.converge(many(count, from), () => check(service))
      }),
      { numRuns: 30 },
    )
  })

  test('for more than one Txn holds adds everything before it removes anything (S7)', () => {
    const service = new ConvergingService()
    const [old, next] = [many(5000), many(5000, 5000)]
    service.converge(old)
    assert.equal(service.commits.length, 2)
    assert.ok(service.commits.every(({ opCount }) => opCount <= MAX_OPS))
    service.converge(next, () => {
      const present = service.entries()
      const removed = [...old.keys()].some((key) => !present.has(key))
      const missing = [...next.keys()].some((key) => !present.has(key))
      assert.ok(!removed || !missing, 'removed before all were added')
    })
    assert.deepEqual(new Set(service.entries().keys()), new Set(next.keys()))
  })

  test('whose values are large stays below the size that etcd takes', () => {
    const service = new ConvergingService()
    service.converge(new Map([...many(600).keys()].map((key) => [key, 'x'.repeat(4000)])))
    assert.ok(service.commits.length > 1)
    for (const { txn } of service.commits) assert.ok(Buffer.byteLength(JSON.stringify(txn)) < 1_500_000)
  })

  test('does not commit over a put that it has not seen (S2)', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    const next = service.plan(many(4))
    assert.equal(next.kind, 'commit')
    service.store.put('demo/greeter/somebody', 'else', null)
    assert.equal(next.kind === 'commit' && service.store.commit(next.txn.txn), false)
  })

  test('with the key guard commits beside foreign puts, but not over one to its own key', () => {
    const service = new ConvergingService()
    service.guardKind = 'keys'
    service.converge(many(3))
    const [beside, over] = [service.plan(many(4)), service.plan(new Map())]
    service.store.put('demo/greeter/somebody', 'else', null)
    assert.equal(beside.kind === 'commit' && service.store.commit(beside.txn.txn), true)
    service.store.put([...many(1).keys()][0] ?? '', 'theirs now', null)
    assert.equal(over.kind === 'commit' && service.store.commit(over.txn.txn), false)
  })

  test('does not commit when the Record has changed meanwhile (S2)', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    const next = service.plan(many(4))
    const record = service.store.entries.get('_grpcetcd/test/services/uid-1')
    service.store.put('_grpcetcd/test/services/uid-1', text(record) ?? '', null)
    assert.equal(next.kind === 'commit' && service.store.commit(next.txn.txn), false)
  })
})

describe('a key of ours', () => {
  test('that is retained stays though nobody wants it, and goes when it is not retained any more', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    const [first = ''] = many(1).keys()
    service.retained.add(first)
    service.converge(new Map())
    assert.deepEqual([...service.entries().keys()], [first])
    service.retained.clear()
    service.converge(new Map())
    assert.equal(service.entries().size, 0)
  })

  test('is not held for another holder of its address, so that its lease stays in the Record (S11)', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    const [first = ''] = many(1).keys()
    service.staleHolders.set(first, 'demo/other')
    service.leaseDurationSeconds = 60
    service.converge(many(3))
    const named = new Set(service.record?.leases.map(({ id }) => id))
    for (const { lease } of service.entries().values()) assert.ok(lease !== null && named.has(lease))
  })

  test('that is not there yet waits for the holder of its address (S10)', () => {
    const service = new ConvergingService()
    const [first = ''] = many(1).keys()
    service.staleHolders.set(first, 'demo/other')
    service.converge(many(2))
    assert.equal(service.entries().size, 1)
    service.staleHolders.clear()
    service.converge(many(2))
    assert.equal(service.entries().size, 2)
  })
})

describe('leases', () => {
  test('a lost lease is replaced and its keys are put again in one Txn that drops its ID from the Record (L6)', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    const lost = service.record?.leases[0]?.id ?? ''
    service.health.set(lost, 'lost')
    for (const key of service.entries().keys()) service.store.delete(key)
    const { length } = service.commits
    service.converge(many(3))
    assert.equal(service.commits.length - length, 1)
    assert.equal(service.entries().size, 3)
    assert.ok(!service.record?.leases.some(({ id }) => id === lost))
  })

  test('that are not renewed yet keep their keys, and none is added to them', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    service.health.set(service.record?.leases[0]?.id ?? '', 'unknown')
    assert.equal(service.plan(many(3)).kind, 'unchanged')
    assert.equal(service.plan(many(2)).kind, 'commit')
    assert.equal(service.plan(many(4)).kind, 'wait')
  })

  test('of another duration give up their keys in one Txn', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    service.leaseDurationSeconds = 60
    const { length } = service.commits
    service.converge(many(3))
    assert.equal(service.commits.length - length, 1)
    assert.deepEqual(
      service.record?.leases.map(({ ttlSeconds }) => ttlSeconds),
      [60],
    )
  })

  test('one stays with a service that is scaled to zero, so that nothing is granted when it comes back', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    service.converge(new Map())
    assert.equal(service.record?.leases.length, 1)
    service.converge(many(3))
    assert.equal(service.granted.size, 1)
  })
})

describe('a GrpcService that is gone', () => {
  test('leaves with its keys and its Record in one Txn, foreign keys stay (S6, L9)', () => {
    const service = new ConvergingService()
    service.converge(many(3))
    service.store.put('demo/greeter/theirs', 'x', null)
    const retired = new ConvergingService(service.store, 'uid-1', 'demo/greeter', true)
    retired.converge(new Map())
    assert.equal(retired.commits.length, 1)
    assert.deepEqual([...service.store.entries.keys()], ['demo/greeter/theirs'])
  })

  test('and has a successor on its target hands over its leases: no key moves (S8, Succession)', () => {
    const old = new ConvergingService()
    old.converge(many(3))
    const before = old.entries()
    const next = new ConvergingService(old.store, 'uid-2')
    next.converge(many(3), undefined, ['uid-1'])
    assert.equal(next.commits.length, 1)
    assert.deepEqual(next.entries(), before)
    assert.equal(old.record, null)
    assert.deepEqual(next.record?.leases.length, 1)
  })
})
