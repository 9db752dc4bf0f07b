import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { desired, type Desired } from '../../../src/plan/desired.ts'
import type { EndpointSource, PodSource } from '../../../src/plan/sources.ts'
import { endpoint, pod, serviceSpec, type SpecFields } from '../../support/sources.ts'

const cases: readonly {
  readonly name: string
  readonly spec?: SpecFields
  readonly pods?: readonly PodSource[]
  readonly endpoints?: readonly EndpointSource[]
  readonly want: readonly string[]
}[] = [
  { name: 'a ready Pod is published under its address', pods: [pod({ name: 'a' })], want: ['10.0.0.1:50051'] },
  { name: 'a Pod that is not ready is not', pods: [pod({ name: 'a', ready: false })], want: [] },
  {
    name: 'ContainersReady does not wait for readiness gates',
    spec: { pods: { readiness: 'ContainersReady' } },
    pods: [
      pod({ name: 'a', ready: false }),
      pod({ name: 'b', ips: ['10.0.0.2'], ready: false, containersReady: false }),
    ],
    want: ['10.0.0.1:50051'],
  },
  {
    name: 'Running asks for the phase only',
    spec: { pods: { readiness: 'Running' } },
    pods: [
      pod({ name: 'a', ready: false, containersReady: false }),
      pod({ name: 'b', ips: ['10.0.0.2'], phase: 'Pending', ready: false }),
    ],
    want: ['10.0.0.1:50051'],
  },
  {
    name: 'a Pod that has ended is never published',
    spec: { pods: { readiness: 'Running' } },
    pods: [pod({ name: 'a', phase: 'Succeeded' }), pod({ name: 'b', phase: 'Failed' })],
    want: [],
  },
  { name: 'a Pod without an address is not published yet', pods: [pod({ name: 'a', ips: [] })], want: [] },
  {
    name: 'Immediate: a terminating Pod goes while others serve',
    pods: [pod({ name: 'a', terminating: true }), pod({ name: 'b', ips: ['10.0.0.2'] })],
    want: ['10.0.0.2:50051'],
  },
  {
    name: 'Immediate: terminating Pods that serve stay where nothing else is left',
    pods: [pod({ name: 'a', terminating: true }), pod({ name: 'b', ips: ['10.0.0.2'], ready: false })],
    want: ['10.0.0.1:50051'],
  },
  {
    name: 'a terminating Pod that does not serve any more goes, the last one too',
    pods: [pod({ name: 'a', terminating: true, ready: false })],
    want: [],
  },
  {
    name: 'WhileServing: a terminating Pod stays as long as it is ready',
    spec: { pods: { draining: 'WhileServing' } },
    pods: [pod({ name: 'a', terminating: true }), pod({ name: 'b', ips: ['10.0.0.2'] })],
    want: ['10.0.0.1:50051', '10.0.0.2:50051'],
  },
  {
    name: 'a port by number needs no container port',
    spec: { pods: { port: 9000 } },
    pods: [pod({ name: 'a', ports: [] })],
    want: ['10.0.0.1:9000'],
  },
  {
    name: 'Primary takes the first address of a dual-stack Pod',
    pods: [pod({ name: 'a', ips: ['fd00::7', '10.0.0.7'] })],
    want: ['[fd00::7]:50051'],
  },
  {
    name: 'IPv4 takes that family',
    spec: { pods: { ipFamily: 'IPv4' } },
    pods: [pod({ name: 'a', ips: ['fd00::7', '10.0.0.7'] })],
    want: ['10.0.0.7:50051'],
  },
  {
    name: 'IPv6 takes that family, and a Pod without it gives nothing',
    spec: { pods: { ipFamily: 'IPv6' } },
    pods: [pod({ name: 'a', ips: ['fd00::7', '10.0.0.7'] }), pod({ name: 'b' })],
    want: ['[fd00::7]:50051'],
  },
  {
    name: 'All takes both',
    spec: { pods: { ipFamily: 'All' } },
    pods: [pod({ name: 'a', ips: ['10.0.0.7', 'fd00::7'] })],
    want: ['10.0.0.7:50051', '[fd00::7]:50051'],
  },
  {
    name: 'two Pods with one address are one endpoint (S10)',
    pods: [pod({ name: 'a' }), pod({ name: 'b' })],
    want: ['10.0.0.1:50051'],
  },
  {
    name: 'an address that is no address is left out',
    pods: [pod({ name: 'a', ips: ['not an ip'] }), pod({ name: 'b', ips: ['10.0.0.2'] })],
    want: ['10.0.0.2:50051'],
  },
  {
    name: 'a GrpcEndpoint stands beside the Pods',
    pods: [pod({ name: 'a' })],
    endpoints: [endpoint('vm', { address: '10.9.0.1:50051' })],
    want: ['10.0.0.1:50051', '10.9.0.1:50051'],
  },
  {
    name: 'a Drained one does not',
    endpoints: [endpoint('vm', { address: '10.9.0.1:50051', state: 'Drained' })],
    want: [],
  },
  {
    name: 'an IPv6 address is published in its one canonical form (S10)',
    endpoints: [
      endpoint('vm', { address: '[2001:DB8:0:0::1]:50051' }),
      endpoint('vm2', { address: '[2001:db8::1]:50051' }),
    ],
    want: ['[2001:db8::1]:50051'],
  },
]

const byKey = ([a]: readonly [string, string], [b]: readonly [string, string]): number => (a < b ? -1 : 1)

function addresses({ values }: Desired): readonly string[] {
  return [...values.keys()].map((key) => key.replace('demo/greeter/', '')).sort()
}

describe('desired', () => {
  for (const { name, spec, pods = [], endpoints = [], want } of cases) {
    test(name, () => {
      const result = desired({ target: 'demo/greeter', spec: serviceSpec(spec), pods, endpoints })
      assert.deepEqual(addresses(result), [...want].sort())
    })
  }

  test('the order of the sources does not matter', () => {
    const pods = [pod({ name: 'a' }), pod({ name: 'b' }), pod({ name: 'c', ips: ['10.0.0.3'] })]
    const endpoints = [
      endpoint('x', { address: '10.0.0.1:50051', metadata: 'x' }),
      endpoint('y', { address: '10.0.0.1:50051', metadata: 'y' }),
    ]
    const spec = serviceSpec()
    const forwards = desired({ target: 'demo/greeter', spec, pods, endpoints })
    const backwards = desired({
      target: 'demo/greeter',
      spec,
      pods: pods.toReversed(),
      endpoints: endpoints.toReversed(),
    })
    assert.deepEqual(new Map([...forwards.values].toSorted(byKey)), new Map([...backwards.values].toSorted(byKey)))
  })
})

describe('Metadata', () => {
  const value = (spec: SpecFields, own?: unknown): string | undefined =>
    desired({
      target: 't',
      spec: serviceSpec(spec),
      pods: [],
      endpoints: [
        endpoint('vm', own === undefined ? { address: '10.0.0.1:1' } : { address: '10.0.0.1:1', metadata: own }),
      ],
    }).values.get('t/10.0.0.1:1')

  const rows: readonly {
    readonly name: string
    readonly spec: SpecFields
    readonly own?: unknown
    readonly want: string
  }[] = [
    { name: 'is null when nobody asks for any', spec: {}, want: 'null' },
    {
      name: 'is a JSON string by default, so that no Go client chokes on it',
      spec: { metadata: { b: 1 } },
      want: '"{\\"b\\":1}"',
    },
    { name: 'that is a string already is not quoted twice', spec: { metadata: 'blue' }, want: '"blue"' },
    {
      name: 'is the object itself on request',
      spec: { metadata: { b: 1, a: 2 }, metadataFormat: 'Object' },
      want: '{"a":2,"b":1}',
    },
    {
      name: 'of the service is overlaid with that of the endpoint',
      spec: { metadata: { zone: 'a', weight: 1 }, metadataFormat: 'Object' },
      own: { weight: 5 },
      want: '{"weight":5,"zone":"a"}',
    },
    {
      name: 'of another type than the service’s takes its place',
      spec: { metadata: { zone: 'a' } },
      own: 'x',
      want: '"x"',
    },
  ]
  for (const { name, spec, own, want } of rows) {
    test(name, () => assert.equal(value(spec, own), `{"Op":0,"Addr":"10.0.0.1:1","Metadata":${want}}`))
  }
})

describe('a port that is not there', () => {
  const spec = serviceSpec({ pods: { port: 'grcp' } })

  test('is named with the first Pod and what it has instead; what is published of them is to stay', () => {
    const ports = [
      { name: 'grpc', port: 50051 },
      { name: 'metrics', port: 9090 },
    ]
    const pods = [pod({ name: 'greeter-b', ports }), pod({ name: 'greeter-a', ports })]
    const result = desired({ target: 't', spec, pods, endpoints: [] })
    assert.deepEqual(result.values.size, 0)
    assert.deepEqual([...result.retainedHosts], ['10.0.0.1'])
    assert.deepEqual(
      result.problems.map(({ message }) => message),
      ['no container of Pod greeter-a (and 1 more) has a port named "grcp"; it has: "grpc" (50051), "metrics" (9090)'],
    )
  })

  test('on some of the Pods leaves the others published (S14)', () => {
    const old = pod({ name: 'old', ports: [] })
    const result = desired({
      target: 't',
      spec: serviceSpec(),
      pods: [old, pod({ name: 'new', ips: ['10.0.0.2'] })],
      endpoints: [],
    })
    assert.deepEqual([...result.values.keys()], ['t/10.0.0.2:50051'])
    assert.deepEqual([...result.retainedHosts], ['10.0.0.1'])
    assert.equal(result.problems.length, 1)
  })
})
