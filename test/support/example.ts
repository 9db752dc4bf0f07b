/** The programs of examples/naming as a user runs them: a process each, against the built package, known by what it prints. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { supervise, type ExitStatus } from '../../dev/supervised-process.ts'
import { checkout } from '../../dev/tools/catalogue.ts'
import { eventually } from './eventually.ts'

export interface Example {
  /** Standard output so far. */
  readonly lines: readonly string[]
  /** Waits until what was printed is as wanted. @throws when the process ends with an error first; with what it wrote to standard error */
  until(what: string, look: (lines: readonly string[]) => boolean): Promise<void>
  terminate(): void
  /** Resolves when it has ended, by itself or after `terminate`. @throws when it has not after 15 s */
  exited(): Promise<ExitStatus>
  /** Ends it, if it still runs. */
  stop(): Promise<void>
}

/** @param environment what `etcd-options.ts` reads: `ETCD_HOSTS` and so on */
export function startExample(file: string, args: readonly string[], environment: Record<string, string>): Example {
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-example-'))
  const lines: string[] = []
  const child = supervise({
    command: process.execPath,
    args: [join(checkout, 'examples/naming', file), ...args],
    env: { PATH: process.env['PATH'], ...environment },
    logFile: join(state, 'stderr'),
    onLine: (line) => lines.push(line),
    removeOnLoss: state,
  })
  const failed = (): boolean => (child.status()?.code ?? 0) !== 0
  return {
    lines,
    async until(what, look) {
      await eventually(`${file}: ${what}`, () => look(lines) || failed(), 20_000).catch(async (error: unknown) => {
        throw new Error(`${String(error)}; printed:\n${lines.join('\n')}\n${await child.logTail()}`, { cause: error })
      })
      if (failed()) throw new Error(`${file} ended:\n${lines.join('\n')}\n${await child.logTail()}`)
    },
    terminate: () => child.signal('SIGTERM'),
    exited: async () => eventually(`${file} ended`, () => child.status(), 15_000),
    async stop() {
      await child.stop()
      rmSync(state, { recursive: true, force: true })
    },
  }
}
