import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import {
  endpointStatus,
  sameConclusion,
  sameJson,
  serviceStatus,
  type ServiceVerdict,
} from '../../../src/plan/status.ts'

const now = new Date('2026-03-01T12:00:00.123Z')
const later = new Date('2026-03-01T13:00:00Z')
const good: ServiceVerdict = {
  generation: 3,
  target: 'demo/greeter',
  desired: 2,
  registered: 2,
  revision: { since: 14, until: 14 },
  failures: [],
}
const portNotFound = { condition: 'ResolvedRefs', reason: 'PortNotFound', message: 'no port', stalled: false } as const
const invalid = { condition: 'Accepted', reason: 'InvalidSpec', message: 'no good', stalled: true } as const

function summary(status: ReturnType<typeof serviceStatus>): Record<string, string> {
  return Object.fromEntries((status.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]))
}

describe('the status of a GrpcService', () => {
  const rows: readonly {
    readonly name: string
    readonly verdict: ServiceVerdict
    readonly want: Record<string, string>
  }[] = [
    {
      name: 'is Ready when everything is published',
      verdict: good,
      want: {
        Accepted: 'True Accepted',
        ResolvedRefs: 'True ResolvedRefs',
        Programmed: 'True Programmed',
        Ready: 'True Ready',
      },
    },
    {
      name: 'is Ready without an endpoint too, so that nobody waits for ever on a service scaled to zero',
      verdict: { ...good, desired: 0, registered: 0 },
      want: {
        Accepted: 'True Accepted',
        ResolvedRefs: 'True ResolvedRefs',
        Programmed: 'True Programmed',
        Ready: 'True NoEndpoints',
      },
    },
    {
      name: 'says Reconciling where time or a change elsewhere may help',
      verdict: { ...good, failures: [portNotFound] },
      want: {
        Accepted: 'True Accepted',
        ResolvedRefs: 'False PortNotFound',
        Programmed: 'True Programmed',
        Ready: 'False PortNotFound',
        Reconciling: 'True PortNotFound',
      },
    },
    {
      name: 'says Stalled where a human must act',
      verdict: { ...good, failures: [invalid] },
      want: {
        Accepted: 'False InvalidSpec',
        ResolvedRefs: 'True ResolvedRefs',
        Programmed: 'True Programmed',
        Ready: 'False InvalidSpec',
        Stalled: 'True InvalidSpec',
      },
    },
  ]
  for (const { name, verdict, want } of rows)
    test(name, () => assert.deepEqual(summary(serviceStatus(verdict, undefined, now)), want))

  test('names the revision and the generation it speaks of (S13)', () => {
    const status = serviceStatus(good, undefined, now)
    assert.equal(status.revision, '14')
    assert.equal(status.observedGeneration, 3)
    assert.ok((status.conditions ?? []).every(({ observedGeneration }) => observedGeneration === 3))
  })

  const spans: readonly { readonly name: string; readonly verdict: Partial<ServiceVerdict>; readonly want: string }[] =
    [
      { name: 'stays while it is still true', verdict: { revision: { since: 9, until: 99 } }, want: '14' },
      { name: 'moves when an endpoint changed', verdict: { revision: { since: 15, until: 20 } }, want: '20' },
      { name: 'moves when one went', verdict: { registered: 1, revision: { since: 9, until: 20 } }, want: '20' },
      { name: 'moves back with a store that went back', verdict: { revision: { since: 3, until: 5 } }, want: '5' },
    ]
  for (const { name, verdict, want } of spans)
    test(`a revision that was told ${name} (S12, S13)`, () => {
      const told = serviceStatus(good, undefined, now)
      assert.equal(serviceStatus({ ...good, ...verdict }, told, now).revision, want)
    })

  test('does not change while nothing changes, however late it is (S12)', () => {
    const first = serviceStatus(good, undefined, now)
    assert.deepEqual(serviceStatus(good, first, later), first)
  })

  test('moves lastTransitionTime of the conditions whose status changed, and of no other', () => {
    const failed = serviceStatus({ ...good, failures: [portNotFound] }, serviceStatus(good, undefined, now), later)
    const times = Object.fromEntries(
      (failed.conditions ?? []).map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    )
    assert.equal(times['Accepted'], '2026-03-01T12:00:00Z')
    assert.equal(times['Ready'], '2026-03-01T13:00:00Z')
  })

  test('survives whatever stood there before', () => {
    fc.assert(fc.property(fc.anything(), (previous) => void serviceStatus(good, previous, now)))
  })
})

test('a drained GrpcEndpoint is ready, and says why it has no key', () => {
  const status = endpointStatus({ generation: 1, key: null, drained: true, failures: [] }, undefined, now)
  assert.equal(status.conditions?.find(({ type }) => type === 'Ready')?.reason, 'Drained')
  assert.equal('key' in status, false)
})

test('two JSON values are the same whatever the order of their fields', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      assert.equal(sameJson(a, structuredClone(a)), true)
      assert.equal(sameJson(a, b), sameJson(b, a))
    }),
  )
  assert.equal(sameJson({ a: 1, b: [2] }, { b: [2], a: 1 }), true)
  assert.equal(sameJson({ a: 1 }, { a: 1, b: undefined }), false)
  assert.equal(sameJson([], {}), false)
})

describe('two statuses come to the same conclusion', () => {
  const told = serviceStatus(good, undefined, now)
  const rows: readonly { readonly name: string; readonly verdict: ServiceVerdict; readonly want: boolean }[] = [
    {
      name: 'when only counts and the revision moved',
      verdict: { ...good, desired: 3, registered: 3, revision: { since: 20, until: 20 } },
      want: true,
    },
    { name: 'but not when a condition changed', verdict: { ...good, failures: [portNotFound] }, want: false },
    { name: 'nor when its reason did', verdict: { ...good, desired: 0, registered: 0 }, want: false },
    { name: 'nor for another generation', verdict: { ...good, generation: 4 }, want: false },
  ]
  for (const { name, verdict, want } of rows) {
    test(name, () => assert.equal(sameConclusion(told, serviceStatus(verdict, told, later)), want))
  }
})
