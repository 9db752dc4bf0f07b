/** The operator starts before its servers do, or with a configuration that can not work. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { startEtcd } from '../../dev/control-plane/etcd.ts'
import { freePort } from '../../dev/control-plane/free-port.ts'
import { describeOperator, installCrds } from '../support/operator-suite.ts'
import { startOperator } from '../support/operator.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const directory = mkdtempSync(join(tmpdir(), 'grpc-etcd-start-'))
after(() => rmSync(directory, { recursive: true }))

describeOperator(
  'the operator is started too early',
  (suite) => {
    test('before the CRDs exist: it lives, is not ready, and leads once they are there', async () => {
      const operator = suite.start()
      await operator.untilLog('waiting: nothing is written before everything is known')
      assert.equal(await operator.health('/healthz'), 200)
      assert.equal(await operator.health('/readyz'), 503)
      await installCrds(suite.api)
      await operator.untilLeading()
      const scene = await suite.scene()
      await scene.service('ledger', {})
      await scene.until('grpcservices', 'ledger', 'Ready=True')
      assert.deepEqual(await operator.terminate(), { code: 0, signal: null })
    })

    test('before etcd: it lives, is not ready, and leads once it is there', async () => {
      const clientPort = await freePort()
      const operator = suite.start({ etcdEndpoint: `http://127.0.0.1:${clientPort}` })
      await operator.untilLog(/^not reached/)
      assert.equal(await operator.health('/healthz'), 200)
      assert.equal(await operator.health('/readyz'), 503)
      const late = await startEtcd({ clientPort })
      suite.cleanUp(async () => late.stop())
      await operator.untilLeading()
    })

    test('before the API server: it lives, is not ready, and leads once it is there', async () => {
      const proxy = await startTcpProxy(suite.api.port)
      suite.cleanUp(async () => proxy.close())
      proxy.refuse()
      const kubeconfig = join(directory, 'kubeconfig')
      const text = readFileSync(suite.api.kubeconfig, 'utf8')
      writeFileSync(kubeconfig, text.replaceAll(suite.api.url, `https://127.0.0.1:${proxy.port}`))
      const operator = suite.start({ kubeconfig })
      await operator.untilLog(/^not reached/)
      assert.equal(await operator.health('/healthz'), 200)
      assert.equal(await operator.health('/readyz'), 503)
      proxy.accept()
      await operator.untilLeading()
    })

    test('a certificate file that is not there is named, with exit code 2', async () => {
      const args = ['--etcd-ca-file=/there/is/none.pem']
      const operator = suite.start({ etcdEndpoint: 'https://127.0.0.1:1', args })
      assert.deepEqual(await operator.exited(), { code: 2, signal: null })
      assert.match(await operator.stderr(), /can not read \/there\/is\/none\.pem/)
    })

    test('it stops cleanly while it still waits for its servers', async () => {
      const operator = suite.start({ etcdEndpoint: `http://127.0.0.1:${await freePort()}` })
      await operator.untilLog(/^not reached/)
      assert.deepEqual(await operator.terminate(), { code: 0, signal: null })
    })
  },
  { operator: false, crds: false },
)

describe('the operator refuses a configuration that can not work, with exit code 2 and words', () => {
  const file = join(directory, 'config.yaml')
  writeFileSync(file, 'etcdEndpoint: http://127.0.0.1:2379\n')
  const kubeconfig = join(directory, 'kubeconfig-of-nobody')
  const cluster = { clusters: [{ name: 'c', cluster: { server: 'http://127.0.0.1:1' } }] }
  const user = { users: [{ name: 'c', user: {} }], contexts: [{ name: 'c', context: { cluster: 'c', user: 'c' } }] }
  writeFileSync(kubeconfig, JSON.stringify({ ...cluster, ...user, 'current-context': 'c' }))
  const cases: readonly { readonly args: readonly string[]; readonly words: RegExp }[] = [
    {
      args: ['--etcd-endpoints=nonsense'],
      words: /--etcd-endpoints: "nonsense": must be http:\/\/host:port or https:/,
    },
    {
      args: ['--etcdendpoints=x'],
      words: /--etcdendpoints: there is no such setting; did you mean --etcd-endpoints\?/,
    },
    {
      args: ['--election-ttl-seconds=1'],
      words: /--election-ttl-seconds: "1": must be a whole number of seconds from 2 to 60/,
    },
    { args: ['--key-prefix=grpc'], words: /--key-prefix: "grpc": must be empty or segments that each end in "\/"/ },
    { args: ['--state-prefix=registry/'], words: /--state-prefix: "registry\/": must start with "_"/ },
    { args: ['--operator-name'], words: /--operator-name: needs a value/ },
    { args: [`--config=${file}`], words: /config\.yaml: etcdEndpoint: there is no such setting/ },
    { args: ['--config=/there/is/none.yaml'], words: /--config \/there\/is\/none\.yaml: .*no such file/ },
    { args: ['--kubeconfig=/there/is/none'], words: /\/there\/is\/none/ },
  ]
  for (const { args, words } of cases) {
    test(args.join(' ').replace(directory, ''), async () => {
      const operator = startOperator({ kubeconfig, etcdEndpoint: 'http://127.0.0.1:1', args })
      try {
        assert.deepEqual(await operator.exited(), { code: 2, signal: null })
        assert.match(await operator.stderr(), words)
        assert.doesNotMatch(await operator.stderr(), /\n\s+at /, 'a stack trace is no message')
      } finally {
        await operator.kill()
      }
    })
  }

  test('a metrics port that is taken is named', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const args = [`--metrics-address=127.0.0.1:${port}`]
    const operator = startOperator({ kubeconfig, etcdEndpoint: 'http://127.0.0.1:1', args })
    try {
      assert.equal((await operator.exited()).code, 2)
      const words = await operator.stderr()
      assert.match(words, new RegExp(`--metrics-address 127\\.0\\.0\\.1:${port}: .*in use.*choose another`))
      assert.doesNotMatch(words, /\n {4}at /)
    } finally {
      await operator.kill()
      taken.close()
    }
  })
})
