/** Tools come from KUBEBUILDER_ASSETS, the cache, or one build, also when several processes want them at once. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { withLock } from '../../../dev/tools/lock.ts'

const run = promisify(execFile)
const module = fileURLToPath(new URL('../../../dev/tools/find.ts', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-test-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** What findTool answers in a process with this environment. */
async function findIn(environment: NodeJS.ProcessEnv, tool: string): Promise<{ path: string; log: string }> {
  const program = `import { findTool } from ${JSON.stringify(module)}; console.log(await findTool(${JSON.stringify(tool)}))`
  const env = { ...process.env, KUBEBUILDER_ASSETS: '', ...environment }
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', program], { env })
  return { path: stdout.trim(), log: stderr }
}

test(
  'processes that want the same tool at once build it once, whatever GOFLAGS says',
  { timeout: 120_000 },
  async () => {
    const cache = join(scratch, 'cache')
    // Go's own cache stays where it is: this is not a test of compiling the standard library.
    const { stdout: goCache } = await run('go', ['env', 'GOCACHE'])
    const environment = { XDG_CACHE_HOME: cache, GOCACHE: goCache.trim(), GOFLAGS: '-mod=vendor', GOOS: 'plan9' }
    const found = await Promise.all([1, 2, 3].map(async () => findIn(environment, 'certificates')))
    assert.equal(new Set(found.map(({ path }) => path)).size, 1)
    assert.equal(found.filter(({ log }) => log.includes('building with go')).length, 1)
    const path = found[0]?.path ?? ''
    assert.ok(path.startsWith(cache))
    assert.deepEqual(readdirSync(dirname(path)), ['certificates'], 'no lock and no half-built file stays')
    await run(path, [join(scratch, 'certificates'), 'client', '60'])

    const again = await findIn(environment, 'certificates')
    assert.deepEqual(again, { path, log: '' })
  },
)

test('KUBEBUILDER_ASSETS goes before the cache', { timeout: 30_000 }, async () => {
  const assets = join(scratch, 'assets')
  mkdirSync(assets)
  for (const name of ['kube-apiserver', 'etcd']) writeFileSync(join(assets, name), '', { mode: 0o755 })
  const environment = { KUBEBUILDER_ASSETS: assets, XDG_CACHE_HOME: join(scratch, 'empty') }
  await assert.rejects(findIn(environment, 'kubectl'), /has no kubectl; complete it or unset the variable/)
  writeFileSync(join(assets, 'kubectl'), '', { mode: 0o755 })
  assert.deepEqual(await findIn(environment, 'kubectl'), { path: join(assets, 'kubectl'), log: '' })
})

test('without Go the message says what is needed and where it is', { timeout: 30_000 }, async () => {
  const bin = join(scratch, 'bin')
  mkdirSync(bin)
  for (const name of ['sh', 'rm']) {
    const { stdout } = await run('sh', ['-c', `command -v ${name}`])
    writeFileSync(join(bin, name), `#!/bin/sh\nexec ${stdout.trim()} "$@"\n`, { mode: 0o755 })
  }
  await assert.rejects(
    findIn({ PATH: bin, XDG_CACHE_HOME: join(scratch, 'no-go') }, 'certificates'),
    /certificates is built from source and needs Go 1\.26 or newer on the PATH: https:\/\/go\.dev\/dl/,
  )
})

test('the lock of a dead owner is taken over', { timeout: 30_000 }, async () => {
  const lock = join(scratch, 'dead.lock')
  writeFileSync(lock, '1\n')
  const longAgo = new Date(Date.now() - 60_000)
  utimesSync(lock, longAgo, longAgo)
  let waited = false
  const result = await withLock(
    lock,
    () => (waited = true),
    async () => 'done',
  )
  assert.deepEqual({ result, waited, left: existsSync(lock) }, { result: 'done', waited: false, left: false })
})
