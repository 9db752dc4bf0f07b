/** The servers behave as tests assume: they keep port and data over kill, restart and pause, and Pods of kwok become ready. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { startApiServer } from '../../../dev/control-plane/api-server.ts'
import { makeCertificates } from '../../../dev/control-plane/certificates.ts'
import { startEtcd, type EtcdVersion } from '../../../dev/control-plane/etcd.ts'
import { kwokNode, startKwok } from '../../../dev/control-plane/kwok.ts'

const scratch = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-test-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

describe('an etcd keeps its port and data when it is killed and restarted', () => {
  const versions: readonly EtcdVersion[] = ['3.5', '3.6', '3.7']
  for (const version of versions) {
    test(`version ${version}`, { timeout: 60_000 }, async () => {
      const etcd = await startEtcd({ version })
      try {
        assert.match(await etcd.etcdctl('endpoint', 'status', '-w', 'json'), new RegExp(`"version":"${version}\\.`))
        await etcd.etcdctl('put', 'a', 'b')
        const { endpoint, pid } = etcd
        await etcd.kill()
        await assert.rejects(etcd.etcdctl('--dial-timeout=200ms', '--command-timeout=500ms', 'get', 'a'))
        await etcd.restart()
        assert.equal(etcd.endpoint, endpoint)
        assert.notEqual(etcd.pid, pid)
        assert.equal(await etcd.etcdctl('get', 'a', '--print-value-only'), 'b\n')
      } finally {
        await etcd.stop()
      }
    })
  }
})

test('a paused etcd accepts connections and answers nothing until it is resumed', { timeout: 60_000 }, async () => {
  const etcd = await startEtcd()
  try {
    etcd.pause()
    await assert.rejects(etcd.etcdctl('--command-timeout=300ms', 'get', 'a'))
    etcd.resume()
    assert.equal(await etcd.etcdctl('get', 'a'), '')
  } finally {
    await etcd.stop()
  }
})

test(
  'an etcd with TLS asks for a certificate of its authority, and takes a renewed one',
  { timeout: 60_000 },
  async () => {
    const tls = await makeCertificates({ directory: join(scratch, 'tls') })
    const etcd = await startEtcd({ tls })
    try {
      await etcd.etcdctl('put', 'a', 'b')
      await makeCertificates({ directory: join(scratch, 'tls'), clientName: 'operator' })
      assert.equal(await etcd.etcdctl('get', 'a', '--print-value-only'), 'b\n')
      const stranger = await makeCertificates({ directory: join(scratch, 'stranger') })
      const other = [`--cert=${stranger.clientCertFile}`, `--key=${stranger.clientKeyFile}`, '--command-timeout=500ms']
      await assert.rejects(etcd.etcdctl(...other, 'get', 'a'))
    } finally {
      await etcd.stop()
    }
  },
)

test(
  'a Deployment becomes ready Pods with addresses, and outlives a restart of the API server',
  { timeout: 120_000 },
  async () => {
    const api = await startApiServer({ controllerManager: true })
    try {
      const kwok = await startKwok({ kubeconfig: api.kubeconfig })
      await api.kubectlApply(
        JSON.stringify(
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            metadata: { name: 'greeter', namespace: 'default' },
            spec: {
              replicas: 2,
              selector: { matchLabels: { app: 'greeter' } },
              template: {
                metadata: { labels: { app: 'greeter' } },
                spec: { nodeName: kwokNode, containers: [{ name: 'greeter', image: 'greeter' }] },
              },
            },
          },
          null,
          1,
        ),
      )
      await api.kubectl('rollout', 'status', 'deployment/greeter', '--timeout=30s')
      await api.restart()
      const addresses = await api.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].status.podIP}')
      assert.match(addresses, /^127\.1\.0\.\d+ 127\.1\.0\.\d+$/)
      await assert.rejects(api.kubectl('get', 'pod', 'nobody'), /pods "nobody" not found/)
      await kwok.stop()
    } finally {
      await api.stop()
    }
  },
)
