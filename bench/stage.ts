/**
 * What every bench runs on: the servers and programs that it started, which all end with it, however it ends; and its exit code, which is
 * 0 unless something broke: a bench reports and does not judge.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { supervise, untilReady, type SupervisedProcess } from '../dev/supervised-process.ts'
import { formatSeconds } from '../dev/tools/progress.ts'

const SETTLE_TIMEOUT_MS = 30_000

interface Stoppable {
  readonly stop: () => unknown
}

export interface Stage {
  /** Stops it at the end; the last one first. */
  readonly keep: <Handle extends Stoppable>(handle: Handle) => Handle
  /**
   * Runs a program of this folder, which prints `ready` when it is, and hands on its other lines. The bench breaks when the program ends
   * with an error.
   */
  readonly startProgram: (
    file: string,
    args: readonly string[],
    onLine: (line: string) => void,
  ) => Promise<SupervisedProcess>
  readonly until: (what: string, reached: () => boolean) => Promise<void>
  readonly say: (text: string) => void
}

/** Never returns: ends the process. */
export async function runBench(play: (stage: Stage) => Promise<void>): Promise<never> {
  const startedAt = performance.now()
  const running: Stoppable[] = []
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-bench-'))
  const broken = Promise.withResolvers<never>()

  const keep: Stage['keep'] = (handle) => {
    running.push(handle)
    return handle
  }

  async function breakOnFailure(file: string, child: SupervisedProcess): Promise<void> {
    const { code } = await child.exited()
    if (code !== null && code !== 0) {
      broken.reject(new Error(`${file} ended with code ${code}:\n${await child.logTail()}`))
    }
  }

  const stage: Stage = {
    keep,
    async startProgram(file, args, onLine) {
      let ready = false
      const child = supervise({
        command: process.execPath,
        args: [fileURLToPath(new URL(file, import.meta.url)), ...args],
        logFile: join(state, `${file}.log`),
        onLine: (line) => {
          if (line === 'ready') ready = true
          else onLine(line)
        },
      })
      keep(child)
      await untilReady(child, async () => ready)
      void breakOnFailure(file, child)
      return child
    },
    async until(what, reached) {
      const deadline = performance.now() + SETTLE_TIMEOUT_MS
      while (!reached()) {
        if (performance.now() > deadline) throw new Error(`not within ${SETTLE_TIMEOUT_MS} ms: ${what}`)
        await sleep(20)
      }
    },
    say(text) {
      console.log(`${formatSeconds((performance.now() - startedAt) / 1000).padStart(6)}  ${text}`)
    },
  }

  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve('interrupted'))
  })
  let exitCode = 0
  try {
    if ((await Promise.race([play(stage), interrupted, broken.promise])) === 'interrupted') exitCode = 130
  } catch (error) {
    exitCode = 1
    console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  }
  for (const each of running.splice(0).reverse()) await each.stop()
  rmSync(state, { recursive: true, force: true })
  process.exit(exitCode)
}
