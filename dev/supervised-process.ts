/**
 * A child process that can not outlive this one, whatever ends it: a clean stop, a crash, Ctrl-C or `kill -9`.
 *
 * The child is started by a shell that leaves a watchdog behind and then becomes the child (`exec`, so the pid is the
 * child's own). The watchdog reads a pipe whose other end only this process holds. End of file means that the owner is gone: it
 * ends the process group and removes the child's directory. Linux and macOS.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * `$$` stays the child's pid in the subshell, and can not be reused while the watchdog is a member of its group. TERM goes first to let
 * grandchildren tidy up, KILL for whoever does not listen or is stopped; the last one takes the watchdog with it.
 */
const WATCHDOG = `
(
  trap '' HUP INT TERM
  read -r _ <&3
  kill -s TERM -- -$$
  kill -s KILL $$
  [ -z "$0" ] || rm -rf -- "$0" || { sleep 1; rm -rf -- "$0"; }
  kill -s KILL -- -$$
) </dev/null >/dev/null 2>&1 &
exec 3<&-
exec "$@"
`

export interface SupervisedOptions {
  readonly command: string
  readonly args: readonly string[]
  /** Standard output and error are appended to this file: a pipe would fill up, or die with its reader. */
  readonly logFile: string
  /** Gets standard output instead, line by line. */
  readonly onLine?: ((line: string) => void) | undefined
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly cwd?: string | undefined
  /** Directory to remove when this process dies without having stopped the child. */
  readonly removeOnLoss?: string | undefined
}

export interface ExitStatus {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface SupervisedProcess {
  readonly pid: number
  readonly command: string
  readonly logFile: string
  /** Set once the child has ended. */
  readonly status: () => ExitStatus | undefined
  /** Resolves when the child has ended and its last line was delivered; keeps this process alive until then. */
  readonly exited: () => Promise<ExitStatus>
  /** Does nothing when the child has ended. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** SIGTERM, and SIGKILL after `graceMs` (default 10 s). Resolves when the child is gone. */
  readonly stop: (graceMs?: number) => Promise<ExitStatus>
  readonly logTail: (lines?: number) => Promise<string>
}

/** Starts the child. It does not keep this process alive by itself: a forgotten server ends with its owner. */
export function supervise(options: SupervisedOptions): SupervisedProcess {
  const log = openSync(options.logFile, 'a')
  const child = spawn('sh', ['-c', WATCHDOG, options.removeOnLoss ?? '', options.command, ...options.args], {
    detached: true,
    stdio: ['ignore', options.onLine === undefined ? log : 'pipe', log, 'pipe'],
    env: options.env,
    cwd: options.cwd,
  })
  closeSync(log)
  const leash = child.stdio[3]
  if (child.pid === undefined || !(leash instanceof Socket)) throw new Error(`can not start sh for ${options.command}`)
  const { pid } = child

  let status: ExitStatus | undefined
  const linesRead = readLines(child.stdout, options.onLine)
  const exited = new Promise<ExitStatus>((resolve) => {
    child.once('exit', (code, signal) => {
      const result = { code, signal }
      status = result
      endGroup(pid)
      leash.destroy()
      void linesRead.then(() => resolve(result))
    })
  })
  leash.unref()
  child.unref()

  const waitForExit = async (): Promise<ExitStatus> => {
    child.ref()
    if (child.stdout instanceof Socket) child.stdout.ref()
    return exited
  }
  const signal = (name: NodeJS.Signals): void => {
    if (status === undefined) child.kill(name)
  }
  return {
    pid,
    command: options.command,
    logFile: options.logFile,
    status: () => status,
    exited: waitForExit,
    signal,
    async stop(graceMs = 10_000) {
      signal('SIGTERM')
      signal('SIGCONT')
      const late = setTimeout(() => signal('SIGKILL'), graceMs)
      const result = await waitForExit()
      clearTimeout(late)
      return result
    },
    async logTail(lines = 40) {
      const text = await readFile(options.logFile, 'utf8')
      return text.trimEnd().split('\n').slice(-lines).join('\n')
    },
  }
}

/** What the child left behind: its watchdog, which now would find nothing to do but remove the directory, and its own children. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nobody of the group is left: somebody else killed it as a whole.
  }
}

async function readLines(stream: Readable | null, onLine: ((line: string) => void) | undefined): Promise<void> {
  if (stream === null || onLine === undefined) return
  if (stream instanceof Socket) stream.unref()
  const lines = createInterface({ input: stream })
  lines.on('line', onLine)
  await new Promise((resolve) => lines.once('close', resolve))
}

/** Polls until `ready` says so. A child that ends first, or is late, is an error that shows the tail of its log. */
export async function untilReady(
  child: SupervisedProcess,
  ready: () => Promise<boolean>,
  timeoutMs = 60_000,
  everyMs = 25,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const status = child.status()
    if (status !== undefined) {
      const end = status.signal ?? `exit code ${status.code}`
      throw new Error(`${child.command} did not start (${end}); its log ends with:\n${await child.logTail()}`)
    }
    if (await ready()) return
    if (performance.now() > deadline) {
      throw new Error(
        `${child.command} was not ready after ${timeoutMs} ms; its log ends with:\n${await child.logTail()}`,
      )
    }
    await sleep(everyMs)
  }
}
