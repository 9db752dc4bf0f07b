/** How the benches print figures: rows of one layout, a verdict at the end. */

export interface Row {
  readonly name: string
  readonly cells: readonly string[]
  readonly verdict?: string
}

export function printTable(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ name }) => name.length)) + 1
  for (const { name, cells, verdict = '' } of rows) {
    console.log(`${name.padEnd(width)}${cells.map((cell) => cell.padStart(11)).join('')}  ${verdict}`.trimEnd())
  }
}

/**
 * What is measured against what it is compared with: at most `goal` times as much. Without a goal it is only told; without a ratio where
 * there is none, between times around zero.
 */
export function ratioRow(
  name: string,
  ours: number,
  theirs: number,
  format: (value: number) => string,
  goal?: number,
): Row {
  const ratio = ours / theirs
  const cells = [format(ours), format(theirs), Math.min(ours, theirs) > 0 ? ratio.toFixed(2) : '']
  if (goal === undefined) return { name, cells }
  return { name, cells: [...cells, `≤ ${goal.toFixed(2)}`], verdict: ratio <= goal ? 'ok' : 'missed' }
}

export function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`
}

export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`
}

/** Nearest rank. */
export function quantile(values: readonly number[], p: number): number {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * p) - 1)] ?? Number.NaN
}
