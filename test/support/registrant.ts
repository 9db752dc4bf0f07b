/** A process that registers endpoints, for what only a process can show: signals, sudden death, and that it ends by itself. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { supervise } from '../../dev/supervised-process.ts'
import type { ExitStatus } from '../../dev/supervised-process.ts'
import type { RegisterOptions } from '../../src/naming/index.ts'
import { eventually } from './eventually.ts'

export interface RegistrantOptions {
  readonly hosts: string
  readonly target: string
  readonly addrs: readonly string[]
  readonly options: RegisterOptions
  /** Statements that it runs before it registers, and after; there `registrations` is the list of them. */
  readonly before?: string
  readonly after?: string
}

export interface Registrant {
  /** What it printed: each state as `address kind`, and what the statements print. */
  readonly lines: readonly string[]
  until(line: string): Promise<void>
  signal(name: NodeJS.Signals): void
  exited(): Promise<ExitStatus>
  /** Ends it, if it still runs. */
  stop(): Promise<void>
}

/** Resolves when all are registered and the statements ran. */
export async function startRegistrant(given: RegistrantOptions): Promise<Registrant> {
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-registrant-'))
  const lines: string[] = []
  const child = supervise({
    command: process.execPath,
    args: ['--input-type=module', '--eval', programOf(given)],
    env: { PATH: process.env['PATH'] },
    logFile: join(state, 'stderr'),
    onLine: (line) => lines.push(line),
    removeOnLoss: state,
  })
  const registrant: Registrant = {
    lines,
    async until(line) {
      await eventually(line, () => lines.includes(line) || child.status() !== undefined, 20_000)
      if (!lines.includes(line)) throw new Error(`the process ended: ${lines.join('\n')}\n${await child.logTail()}`)
    },
    signal: child.signal,
    exited: () => eventually('the process ends', () => child.status(), 15_000),
    async stop() {
      await child.stop(100)
      rmSync(state, { recursive: true, force: true })
    },
  }
  await registrant.until('ready')
  return registrant
}

function programOf({ hosts, target, addrs, options, before = '', after = '' }: RegistrantOptions): string {
  const [module, ...values] = [import.meta.resolve('../../src/naming/index.ts'), hosts, target, addrs, options]
  return `
    import { register } from ${JSON.stringify(module)}
    const [hosts, target, addrs, options] = ${JSON.stringify(values)}
    ${before}
    const registrations = []
    for (const addr of addrs) {
      const registration = await register({ hosts }, target, { addr }, options)
      registrations.push(registration)
      registration.on('state', ({ kind }) => console.log(addr + ' ' + kind))
    }
    ${after}
    console.log('ready')
  `
}
