/** No server outlives its owner, whatever ends the owner, and nothing of it stays on the disk. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { supervise, untilReady } from '../../../dev/supervised-process.ts'

const module = fileURLToPath(new URL('../../../dev/supervised-process.ts', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-test-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** A server that starts a process of its own and does not listen to SIGTERM. */
const STUBBORN = `trap '' TERM; sleep 600 & echo "grandchild $!" >&2; while :; do sleep 1; done`

/** Another process that owns a child; it says the child's pid and waits. */
async function startOwner(directory: string, ending: string): Promise<{ owner: ChildProcess; child: number }> {
  const program = `
    import { mkdirSync } from 'node:fs'
    import { supervise } from ${JSON.stringify(module)}
    const directory = ${JSON.stringify(directory)}
    mkdirSync(directory)
    const child = supervise({ command: 'sh', args: ['-c', ${JSON.stringify(STUBBORN)}], logFile: directory + '/log', removeOnLoss: directory })
    console.log(child.pid)
    ${ending}
    setInterval(() => {}, 1000)
  `
  const owner = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'ignore'] })
  assert.ok(owner.stdout)
  const [text]: unknown[] = await once(owner.stdout, 'data')
  return { owner, child: Number(String(text)) }
}

function grandchildOf(directory: string): number {
  const log = join(directory, 'log')
  return existsSync(log) ? Number(/grandchild (\d+)\n/.exec(readFileSync(log, 'utf8'))?.[1] ?? 0) : 0
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within 10 s: ${what}`)
    await sleep(20)
  }
}

describe('a child and its directory go with the owner', () => {
  const cases = [
    { name: 'killed with SIGKILL', ending: '', end: (owner: ChildProcess) => owner.kill('SIGKILL') },
    { name: 'ended by Ctrl-C', ending: '', end: (owner: ChildProcess) => owner.kill('SIGINT') },
    { name: 'that throws', ending: 'setTimeout(() => { throw new Error("on purpose") }, 300)' },
    { name: 'that calls exit', ending: 'setTimeout(() => process.exit(0), 300)' },
    {
      name: 'killed while the child is stopped',
      ending: "setTimeout(() => child.signal('SIGSTOP'), 200)",
      end: (owner: ChildProcess) => owner.kill('SIGKILL'),
    },
  ]
  for (const [index, { name, ending, end }] of cases.entries()) {
    test(`an owner ${name}`, { timeout: 30_000 }, async () => {
      const directory = join(scratch, `owner-${index}`)
      const { owner, child } = await startOwner(directory, ending)
      await until('the grandchild runs', () => grandchildOf(directory) > 0)
      const grandchild = grandchildOf(directory)
      const ended = once(owner, 'exit')
      end?.(owner)
      await ended
      await until('the child is gone', () => !isAlive(child))
      await until('the grandchild is gone', () => !isAlive(grandchild))
      await until('its directory is gone', () => !existsSync(directory))
    })
  }
})

test(
  'stop ends a child that does not listen with all it started, and leaves the directory to the caller',
  { timeout: 30_000 },
  async () => {
    const directory = mkdtempSync(join(scratch, 'stubborn-'))
    const logFile = join(directory, 'log')
    const child = supervise({ command: 'sh', args: ['-c', STUBBORN], logFile, removeOnLoss: directory })
    await untilReady(child, async () => grandchildOf(directory) > 0)
    const grandchild = grandchildOf(directory)
    assert.deepEqual(await child.stop(100), { code: null, signal: 'SIGKILL' })
    await until('the grandchild is gone', () => !isAlive(grandchild))
    assert.ok(existsSync(logFile))
  },
)

test('a child that ends before it is ready is an error with the tail of its log', { timeout: 30_000 }, async () => {
  const logFile = join(scratch, 'failing.log')
  const child = supervise({ command: 'sh', args: ['-c', 'echo the reason; exit 3'], logFile })
  await assert.rejects(
    untilReady(child, async () => false),
    /sh did not start \(exit code 3\).*\nthe reason$/s,
  )
})

test('lines of standard output are delivered before the end is', { timeout: 30_000 }, async () => {
  const lines: string[] = []
  const options = {
    args: ['-c', 'i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); done'],
    logFile: join(scratch, 'lines.log'),
  }
  const child = supervise({ command: 'sh', ...options, onLine: (line) => lines.push(line) })
  assert.deepEqual(await child.exited(), { code: 0, signal: null })
  assert.equal(lines.length, 1000)
})
