/** What makes text fit for a terminal: colours where it has them, and no control characters of strangers. */
import { styleText } from 'node:util'
import type { LeaseId } from '../etcd/kv.ts'

export type Style = Parameters<typeof styleText>[0]

export type Paint = (style: Style, text: string) => string

export function createPaint(colour: boolean): Paint {
  return (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text)
}

/** A terminal, and neither NO_COLOR nor TERM=dumb says otherwise; never a pipe. */
export function hasColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && stream.hasColors()
}

/** Anybody may have written what we show: nothing of it may move the cursor, colour the line or turn its direction. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** As one word of a command line that a person may copy. */
export function shellWord(text: string): string {
  return /^[\w./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** With the leading zeros that etcdctl prints, so that one can be searched for in the output of the other. */
export function showLease(lease: LeaseId): string {
  return lease.padStart(16, '0')
}

/** One line of JSON, as fit for a terminal as any other: control characters are only ever inside of strings, where they are escaped. */
export function jsonLine(value: object): string {
  return printable(JSON.stringify(value))
}

/** Any JSON value on one line, as a person reads it: `-` for the `null` of an endpoint without metadata. */
export function showMetadata(metadata: unknown): string {
  return metadata === null ? '-' : printable(JSON.stringify(metadata))
}

export interface Cell {
  readonly text: string
  readonly style?: Style | undefined
}

const WIDE =
  /(?![\uff61-\uffdc])[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u
const COMBINING = /[\p{Mn}\p{Me}\p{Cf}]/u

/** Columns of a terminal that it takes: two for a wide character (Chinese, Japanese, Korean, emoji), none for what is put on another. */
export function widthOf(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length
  let width = 0
  for (const char of text) width += COMBINING.test(char) ? 0 : WIDE.test(char) ? 2 : 1
  return width
}

export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

/** Columns of equal width, two spaces between them, nothing after the last text of a line. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[], paint: Paint): string {
  const lines = [head.map((text): Cell => ({ text, style: 'bold' })), ...rows]
  const widths = head.map((_, column) =>
    lines.reduce((most, line) => Math.max(most, widthOf(line[column]?.text ?? '')), 0),
  )
  const show = (line: readonly Cell[]) => {
    const last = line.findLastIndex(({ text }) => text !== '')
    return line.slice(0, last + 1).map(({ text, style }, column) => {
      const gap = column === last ? '' : ' '.repeat((widths[column] ?? 0) - widthOf(text) + 2)
      return (style === undefined ? text : paint(style, text)) + gap
    })
  }
  return lines.map((line) => show(line).join('')).join('\n')
}
