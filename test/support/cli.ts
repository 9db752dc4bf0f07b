/** The command line as a person runs it: a process of its own, known by what it prints and its exit code. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { supervise } from '../../dev/supervised-process.ts'
import type { ExitStatus } from '../../dev/supervised-process.ts'
import { eventually } from './eventually.ts'

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

const DEADLINE_MS = 30_000

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

type Environment = Readonly<Record<string, string>>

/** Resolves when it has ended, well or not. Nothing of the machine's own set-up reaches it. */
export function runCli(args: readonly string[], env: Environment = {}): Promise<Finished> {
  return finish(process.execPath, [MAIN, ...args], env)
}

/** `script` gets the command as `"$@"`, for pipes; `pipefail` is not needed: what it prints tells. */
export function runCliInShell(script: string, args: readonly string[]): Promise<Finished> {
  return finish('sh', ['-c', script, 'sh', process.execPath, MAIN, ...args], {})
}

function finish(command: string, args: readonly string[], env: Environment): Promise<Finished> {
  const options = { env: environment(env), timeout: DEADLINE_MS }
  const { promise, resolve, reject } = Promise.withResolvers<Finished>()
  execFile(command, args, options, (error, stdout, stderr) => {
    if (error === null) resolve({ code: 0, stdout, stderr })
    else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr })
    else reject(new Error(`${command} ${args.join(' ')} did not end by itself: ${error.message}\n${stderr}`))
  })
  return promise
}

export interface RunningCli {
  /** Lines of standard output. */
  readonly lines: readonly string[]
  stderr(): Promise<string>
  /** @throws after ten seconds, with everything that was printed */
  untilLine(pattern: RegExp): Promise<string>
  untilStderr(pattern: RegExp): Promise<string>
  /** Sends the signal; resolves when it has ended. */
  end(signal: 'SIGINT' | 'SIGTERM'): Promise<ExitStatus>
  exited(): Promise<ExitStatus>
  /** For the end of a test: kills it if it still runs. */
  dispose(): Promise<void>
}

/** A command that runs until it is told to stop. */
export function startCli(args: readonly string[]): RunningCli {
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-cli-'))
  const lines: string[] = []
  const child = supervise({
    command: process.execPath,
    args: [MAIN, ...args],
    env: environment({}),
    logFile: join(state, 'stderr'),
    removeOnLoss: state,
    onLine: (line) => lines.push(line),
  })
  const stderr = () => child.logTail(1_000)
  const explained = async <T>(wait: Promise<T>): Promise<T> => {
    try {
      return await wait
    } catch (error) {
      throw new Error(`${String(error)}; it printed:\n${lines.join('\n')}\n${await stderr()}`, { cause: error })
    }
  }
  const exited = async () => {
    await explained(eventually('it ends', () => child.status() !== undefined))
    return child.exited()
  }
  return {
    lines,
    stderr,
    untilLine: (pattern) =>
      explained(eventually(`it prints ${String(pattern)}`, () => lines.find((line) => pattern.test(line)))),
    untilStderr: (pattern) =>
      explained(eventually(`it says ${String(pattern)}`, async () => pattern.exec(await stderr())?.[0])),
    exited,
    end(signal) {
      child.signal(signal)
      return exited()
    },
    async dispose() {
      await child.stop(0)
      rmSync(state, { recursive: true, force: true })
    },
  }
}

function environment(env: Environment): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: tmpdir(), ...env }
}
