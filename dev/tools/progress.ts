/**
 * Says what is going on while something takes minutes: a line that counts on a terminal, a line every half minute in a log.
 * Written to standard error, so that a command's output stays clean.
 */
const LOG_EVERY_MS = 30_000

export interface Progress {
  readonly done: (text: string) => void
  readonly failed: (text: string) => void
}

/** `3m52s`, `41s`, `0.3s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}s`
  const whole = Math.round(seconds)
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`
}

/** `subject` starts every line, e.g. `tools     kube-apiserver v1.37.2`; `doing` says what and how long it usually takes. */
export function startProgress(subject: string, doing: string): Progress {
  const out = process.stderr
  const startedAt = performance.now()
  const elapsed = (): string => formatSeconds((performance.now() - startedAt) / 1000)
  const counting = out.isTTY
  out.write(`${subject} ${doing}\n`)
  // The counting line is short: one that wraps can not be written over.
  const timer = setInterval(
    () => out.write(counting ? `\r\x1b[K${subject} · ${elapsed()}` : `${subject} ${doing} · ${elapsed()}\n`),
    counting ? 1000 : LOG_EVERY_MS,
  )
  timer.unref()
  const end = (text: string): void => {
    clearInterval(timer)
    out.write(`${counting ? '\r\x1b[K' : ''}${subject} ${text.replace('%s', elapsed())}\n`)
  }
  return { done: end, failed: end }
}
