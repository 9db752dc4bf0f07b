import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { grpcEndpoints, grpcServices, pods } from '../../../src/controllers/shapes.ts'

const metadata = { name: 'a', namespace: 'demo', uid: 'u', resourceVersion: '1' }

describe('a Pod', () => {
  test('is shaped from the fields that decide on membership', () => {
    const shaped = pods.shape({
      metadata: { ...metadata, labels: { app: 'x' }, deletionTimestamp: '2026-01-01T00:00:00Z' },
      spec: {
        initContainers: [
          { name: 'once', ports: [{ name: 'setup', containerPort: 1 }] },
          { name: 'sidecar', restartPolicy: 'Always', ports: [{ name: 'proxy', containerPort: 2 }] },
        ],
        containers: [{ name: 'main', ports: [{ name: 'grpc', containerPort: 3 }, { containerPort: 4 }] }],
      },
      status: {
        phase: 'Running',
        podIP: '10.0.0.1',
        podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
        conditions: [
          { type: 'Ready', status: 'False' },
          { type: 'ContainersReady', status: 'True' },
        ],
      },
    })
    assert.deepEqual(shaped, {
      key: 'demo/a',
      namespace: 'demo',
      name: 'a',
      uid: 'u',
      resourceVersion: '1',
      labels: { app: 'x' },
      ips: ['10.0.0.1', 'fd00::1'],
      phase: 'Running',
      ready: false,
      containersReady: true,
      terminating: true,
      ports: [
        { name: 'grpc', port: 3 },
        { name: 'proxy', port: 2 },
      ],
    })
  })
})

describe('a GrpcService', () => {
  const spec = { pods: { selector: { matchLabels: { app: 'x' } }, port: 'grpc' } }
  const target = (keyPrefix: string, extra: object = {}): string | null =>
    grpcServices(keyPrefix).shape({ metadata, spec: { ...spec, ...extra } }).target

  test('has the target namespace/name unless it asks for another, both under the key prefix', () => {
    assert.equal(target(''), 'demo/a')
    assert.equal(target('grpc/'), 'grpc/demo/a')
    assert.equal(target('grpc/', { target: 'payments/ledger' }), 'grpc/payments/ledger')
  })

  test('keeps its target when another field is wrong: what is published under it stays', () => {
    const shaped = grpcServices('').shape({ metadata, spec: { target: 'payments/ledger', leaseDurationSeconds: -1 } })
    assert.equal(shaped.spec.ok, false)
    assert.equal(shaped.target, 'payments/ledger')
  })

  test('whose target can not be understood has none', () => {
    assert.equal(target('', { target: '_grpcetcd/default' }), null)
    assert.equal(target('', { target: 5 }), null)
    assert.equal(target('', { target: { toString: 1 } }), null)
  })
})

test('a shape comes out of every object, whatever it holds (S14)', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (spec, status) => {
      for (const resource of [pods, grpcEndpoints, grpcServices('')])
        assert.equal(resource.shape({ metadata, spec, status }).key, 'demo/a')
    }),
  )
})
