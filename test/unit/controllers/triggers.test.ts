import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createStores } from '../../../src/controllers/stores.ts'
import { endpointTriggers, podTriggers, serviceTriggers } from '../../../src/controllers/triggers.ts'
import type { PodSource } from '../../../src/plan/sources.ts'
import { endpoint, pod, service, serviceSpec } from '../../support/sources.ts'

const greeter = service({ name: 'greeter' })
const other = service({
  name: 'other',
  spec: { ok: true, value: serviceSpec({ pods: { selector: { matchLabels: { app: 'other' } } } }) },
})
const stores = createStores()
stores.services.replace(new Map([greeter, other].map((item) => [item.key, item])), '1')

describe('a Pod', () => {
  const base = pod({ name: 'a' })
  const change = (fields: Partial<PodSource>): readonly string[] => [
    ...podTriggers({ before: base, after: pod({ name: 'a', ...fields }) }, stores.lookup),
  ]
  const rows: readonly {
    readonly name: string
    readonly after: Partial<PodSource>
    readonly want: readonly string[]
  }[] = [
    { name: 'that only got a newer resourceVersion triggers nothing', after: {}, want: [] },
    { name: 'that became unready triggers its service', after: { ready: false }, want: ['demo/greeter'] },
    { name: 'that is terminating triggers it', after: { terminating: true }, want: ['demo/greeter'] },
    { name: 'with another address triggers it', after: { ips: ['10.0.0.9'] }, want: ['demo/greeter'] },
    { name: 'that ended triggers it', after: { phase: 'Failed' }, want: ['demo/greeter'] },
    {
      name: 'relabelled triggers the service it leaves and the one it joins',
      after: { labels: { app: 'other' } },
      want: ['demo/greeter', 'demo/other'],
    },
    { name: 'of another namespace is nobody’s', after: { namespace: 'else' }, want: [] },
  ]
  for (const { name, after, want } of rows)
    test(name, () =>
      assert.deepEqual(
        [...change(after)].toSorted((a, b) => (a < b ? -1 : 1)),
        want,
      ),
    )

  test('created or deleted triggers the services that select it', () => {
    assert.deepEqual([...podTriggers({ before: undefined, after: base }, stores.lookup)], ['demo/greeter'])
    assert.deepEqual([...podTriggers({ before: base, after: undefined }, stores.lookup)], ['demo/greeter'])
  })
})

describe('a GrpcService', () => {
  test('triggers itself and every service whose target overlaps with the one it claims or gives up', () => {
    const above = service({ name: 'above', target: 'team' })
    const below = service({ name: 'below', target: 'team/a/b' })
    const lookup = createStores()
    lookup.services.replace(new Map([above, below].map((item) => [item.key, item])), '1')
    const claiming = service({ name: 'claiming', target: 'team/a' })
    const triggered = serviceTriggers({ before: undefined, after: claiming }, lookup.lookup)
    assert.deepEqual(new Set(triggered), new Set(['demo/claiming', 'demo/above', 'demo/below']))
  })

  test('whose status was written triggers nothing', () => {
    assert.equal(serviceTriggers({ before: greeter, after: { ...greeter, status: {} } }, stores.lookup).size, 0)
  })
})

describe('a GrpcEndpoint', () => {
  const vm = endpoint('vm', { address: '10.9.0.1:1' })
  test('triggers its service, and nothing when only its status changed', () => {
    assert.deepEqual([...endpointTriggers({ before: undefined, after: vm })], ['demo/greeter'])
    assert.equal(endpointTriggers({ before: vm, after: { ...vm, status: {} } }).size, 0)
  })
})
