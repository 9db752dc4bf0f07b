/** The operator as users run it: a child process of its own, known by its log, its health endpoints and its exit code only. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { supervise, type ExitStatus } from '../../dev/supervised-process.ts'
import { eventually } from './eventually.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface OperatorOptions {
  readonly kubeconfig: string
  readonly etcdEndpoint: string
  /** More flags; a later one beats an earlier one. */
  readonly args?: readonly string[]
}

/** One line of its log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string }

export interface Operator {
  readonly pid: number
  readonly log: readonly LogLine[]
  /** Waits for a line with this message. @throws when the process ends first, or the deadline passes; with the end of its log */
  untilLog(message: string | RegExp, deadlineMs?: number): Promise<LogLine>
  /** It leads and has looked at everything there is to do once. */
  untilLeading(deadlineMs?: number): Promise<void>
  /** Status code of `/healthz` or `/readyz`. */
  health(path: '/healthz' | '/readyz'): Promise<number>
  /** What `/metrics` answers: name and labels, as they stand there, to value. */
  metrics(): Promise<ReadonlyMap<string, number>>
  /** Resolves when it has ended, by itself or after a signal. @throws when it has not after 15 s */
  exited(): Promise<ExitStatus>
  /** SIGTERM; resolves when it has ended. */
  terminate(): Promise<ExitStatus>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
  /** What it wrote to standard error. */
  stderr(): Promise<string>
}

/** Resolves as soon as the process is there, not when it is ready. */
export function startOperator(options: OperatorOptions): Operator {
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-operator-'))
  const log: LogLine[] = []
  const child = supervise({
    command: process.execPath,
    args: [MAIN, 'operator', ...flags(options)],
    // Nothing of the machine's own set-up reaches it.
    env: { PATH: process.env['PATH'], HOME: state },
    logFile: join(state, 'stderr'),
    removeOnLoss: state,
    onLine: (line) => log.push(parseLine(line)),
  })
  let ended: Promise<{ readonly status: ExitStatus; readonly stderr: string }> | undefined
  const end = async () => {
    const status = await child.exited()
    const stderr = await child.logTail(1000)
    rmSync(state, { recursive: true, force: true })
    return { status, stderr }
  }
  const hasEnded = async () => {
    await eventually('the operator ends', () => child.status() !== undefined, 15_000)
    return (ended ??= end())
  }
  const exited = async (): Promise<ExitStatus> => (await hasEnded()).status

  const get = async (path: string): Promise<Response> => {
    const { address } = await operator.untilLog('health endpoints listening')
    return fetch(`http://${String(address)}${path}`)
  }
  const operator: Operator = {
    pid: child.pid,
    log,
    async untilLog(message, deadlineMs = 15_000) {
      const look = (): LogLine | undefined => {
        const found = log.find(({ msg }) => (typeof message === 'string' ? msg === message : message.test(msg)))
        if (found === undefined && child.status() !== undefined) throw new Error('the operator has ended')
        return found
      }
      try {
        return await eventually(`the operator logs ${String(message)}`, look, deadlineMs)
      } catch (error) {
        const tail = log.slice(-20).map((line) => JSON.stringify(line))
        const stderr = child.status() === undefined ? '' : await operator.stderr()
        throw new Error(`${String(error)}; its log ends with:\n${tail.join('\n')}\n${stderr}`, { cause: error })
      }
    },
    async untilLeading(deadlineMs) {
      await operator.untilLog('leading', deadlineMs)
      await eventually('the operator is ready', async () => (await operator.health('/readyz')) === 200)
    },
    async health(path) {
      const response = await get(path)
      await response.body?.cancel()
      return response.status
    },
    async metrics() {
      const lines = (await (await get('/metrics')).text()).split('\n')
      const samples = lines.filter((line) => line !== '' && !line.startsWith('#'))
      return new Map(
        samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
      )
    },
    exited,
    async terminate() {
      child.signal('SIGTERM')
      child.signal('SIGCONT')
      return exited()
    },
    async kill() {
      child.signal('SIGKILL')
      await exited()
    },
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    async stderr() {
      return (await hasEnded()).stderr
    },
  }
  return operator
}

function flags({ kubeconfig, etcdEndpoint, args = [] }: OperatorOptions): readonly string[] {
  const own = [`--kubeconfig=${kubeconfig}`, `--etcd-endpoints=${etcdEndpoint}`]
  return [...own, '--metrics-address=127.0.0.1:0', '--log-format=json', '--log-level=debug', ...args]
}

function parseLine(line: string): LogLine {
  const parsed: unknown = JSON.parse(line)
  if (typeof parsed !== 'object' || parsed === null || !('msg' in parsed)) throw new Error(`not a log line: ${line}`)
  return { ...parsed, msg: String(parsed.msg) }
}
