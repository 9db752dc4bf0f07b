/** The built operator as a process, as an image would run it: known by its log and its exit code only. Also what the bench measures. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { z } from 'zod'

import { supervise } from '../supervised-process.ts'
import { checkout } from '../tools/catalogue.ts'

const PROGRAM = join(checkout, 'dist/grpc-etcd.js')
const LEADING_TIMEOUT_MS = 30_000
const LINES_IN_AN_ERROR = 20

const lineSchema = z.looseObject({ msg: z.string() })

export interface BuiltOperator {
  /** SIGTERM. Resolves when it is gone; rejects when it did not end well. */
  readonly stop: () => Promise<void>
}

/** Resolves when it leads, so when it has seen everything there is. */
export async function startBuiltOperator(options: {
  readonly kubeconfig: string
  readonly etcdEndpoint: string
}): Promise<BuiltOperator> {
  if (!existsSync(PROGRAM)) throw new Error(`there is no ${PROGRAM}: run make build`)
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-operator-'))
  const log: string[] = []
  const seen = new Set<string>()
  const child = supervise({
    command: process.execPath,
    args: [
      PROGRAM,
      'operator',
      `--kubeconfig=${options.kubeconfig}`,
      `--etcd-endpoints=${options.etcdEndpoint}`,
      '--metrics-address=127.0.0.1:0',
      '--log-format=json',
    ],
    logFile: join(state, 'stderr'),
    removeOnLoss: state,
    onLine: (line) => {
      log.push(line)
      if (log.length > LINES_IN_AN_ERROR) log.shift()
      seen.add(lineSchema.parse(JSON.parse(line)).msg)
    },
  })
  const logTail = async (): Promise<string> => [...log, await child.logTail()].join('\n')

  const stop = async (): Promise<void> => {
    const { code, signal } = await child.stop()
    const tail = await logTail()
    rmSync(state, { recursive: true, force: true })
    if (code !== 0) throw new Error(`the operator ended with ${signal ?? `code ${code}`}; its log ends with:\n${tail}`)
  }

  const deadline = performance.now() + LEADING_TIMEOUT_MS
  while (!seen.has('leading')) {
    if (child.status() !== undefined || performance.now() > deadline) {
      const tail = await logTail()
      await child.stop()
      rmSync(state, { recursive: true, force: true })
      throw new Error(`the operator does not lead; its log ends with:\n${tail}`)
    }
    await sleep(20)
  }
  return { stop }
}
