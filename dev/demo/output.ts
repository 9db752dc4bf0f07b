/** How the demo looks: a name and a text a line, colours on a terminal only. */
import { styleText } from 'node:util'

import type { Line, Totals } from './timeline.ts'

type Style = Parameters<typeof styleText>[0]

function paint(style: Style, text: string): string {
  // Plain when standard output is no terminal, or NO_COLOR is set.
  return styleText(style, text, { stream: process.stdout })
}

export function say(part: string, text: string): void {
  console.log(`${paint('bold', part.padEnd(9))} ${text}`)
}

/** A line of its own time, for what we do and what came of it. */
export function narrate(text: string): void {
  console.log(`${paint('dim', clock(Date.now()))}  ${paint('cyan', text)}`)
}

export function showLine(line: Line, target: string): void {
  const published = line.kind === 'published'
  const answer =
    line.answeredAfterMs === undefined ? '' : `   ${paint('dim', 'first call')} ${milliseconds(line.answeredAfterMs)}`
  console.log(
    [
      `${paint('dim', clock(line.atMs))}  ${line.source.padEnd(24)} `,
      published ? paint('green', 'ready → ') : paint('yellow', 'going ✕ '),
      `${target}/${line.address.padEnd(18)}`,
      ` ${paint('dim', 'rev')} ${String(line.revision).padEnd(4)}`,
      ` ${milliseconds(line.storedAfterMs)}${answer}`,
    ].join(''),
  )
}

export interface CallCount {
  readonly calls: number
  readonly failed: number
}

export function showSummary(
  { changes, puts, deletes, revisions, latenciesMs }: Totals,
  { calls, failed }: CallCount,
): void {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  const calling = `${calls.toLocaleString('en')} calls, ${failed} failed`
  say(
    'summary',
    [
      '3 → 6 → 2 endpoints',
      `${changes} changes`,
      `${puts + deletes} puts and deletes in ${revisions} revisions`,
      `p50 ${median.toFixed(0)} ms, max ${(sorted.at(-1) ?? Number.NaN).toFixed(0)} ms`,
      failed === 0 ? paint('green', calling) : paint('red', calling),
    ].join(' · '),
  )
}

function milliseconds(value: number): string {
  const rounded = Math.round(value)
  return `${rounded < 0 ? '−' : '+'}${Math.abs(rounded)} ms`.padStart(8)
}

function clock(atMs: number): string {
  return new Date(atMs).toTimeString().slice(0, 8)
}
