/** Runs the Go program of test/interop/go: under supervision, or as one that answers questions. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { supervise, type SupervisedProcess } from '../../dev/supervised-process.ts'
import { findTool } from '../../dev/tools/find.ts'

/** Of go.etcd.io/etcd/client/v3. */
export type GoClientVersion = '3.5' | '3.7'

export interface GoProgram {
  /** Lets what is under way finish. Rejects when the program had failed. */
  readonly stop: () => Promise<void>
}

export interface RunningProgram extends GoProgram {
  readonly child: SupervisedProcess
  /** Resolves when the program has ended well by itself. */
  readonly finished: () => Promise<void>
  readonly remove: () => void
}

/** Runs until stopped, or done. */
export async function startProgram(
  version: GoClientVersion | undefined,
  args: readonly string[],
  onLine: (line: string) => void,
): Promise<RunningProgram> {
  const command = await findTool(`go-client-${version ?? '3.7'}`)
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-go-client-'))
  const child = supervise({ command, args, onLine, logFile: join(state, 'log'), removeOnLoss: state })
  const remove = (): void => rmSync(state, { recursive: true, force: true })
  const finished = async (): Promise<void> => {
    const { code } = await child.exited()
    const log = await child.logTail()
    remove()
    if (code !== 0) throw new Error(`go-client ${args[0] ?? ''} ended with code ${code}: ${log}`)
  }
  return {
    child,
    finished,
    remove,
    async stop() {
      child.signal('SIGTERM')
      await finished()
    },
  }
}

export interface GoAnswerer extends GoProgram {
  /** The program's line for this one. Any number may wait at the same time: answers come in the order of the questions. */
  readonly ask: (line: string) => Promise<string>
}

/** Runs until its standard input ends, so it can not outlive this process. */
export async function startAnswerer(
  version: GoClientVersion | undefined,
  args: readonly string[],
): Promise<GoAnswerer> {
  const child = spawn(await findTool(`go-client-${version ?? '3.7'}`), args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const waiting: PromiseWithResolvers<string>[] = []
  let log = ''
  let failure: Error | undefined
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(line))
  // What was written into a closed pipe has no answer, and fails by that.
  child.stdin.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => {
    child.once('close', (code) => {
      failure = new Error(`go-client ${args[0] ?? ''} ended with code ${code}: ${log}`)
      for (const { reject } of waiting.splice(0)) reject(failure)
      resolve()
    })
  })
  return {
    async ask(line) {
      if (failure !== undefined) throw failure
      const answer = Promise.withResolvers<string>()
      waiting.push(answer)
      child.stdin.write(`${line}\n`)
      return answer.promise
    },
    async stop() {
      child.stdin.end()
      await closed
      if (child.exitCode !== 0 && failure !== undefined) throw failure
    },
  }
}
