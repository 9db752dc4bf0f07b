/** The table of the propagation bench: every figure beside its goal. */
import type { Sample } from './measurement.ts'
import type { Group } from './workload.ts'

export interface Figures {
  readonly samples: readonly Sample[]
  /** Changes that the watcher never saw because the next one of the same Pod came first. */
  readonly lost: number
  /** Puts and deletes of endpoint keys for each change of the operator's Pods. */
  readonly writesPerChange: number
  /** Of endpoint keys and Records, while nothing changed. */
  readonly quietWrites: number
  readonly restartWrites: number
}

export function printReport(figures: Figures): void {
  const count = (group: Group): string =>
    figures.samples.filter((sample) => sample.group === group).length.toLocaleString('en')
  console.log(
    `\nPod readiness → visible in etcd, ${count('operator')} changes by the operator, ${count('bare')} by the bare pipeline`,
  )
  row('', 'operator', 'bare', 'ratio', 'goal', '')
  latencyRow(figures.samples, 'since acknowledged, p50', 'sinceAcknowledgedMs', 0.5, 1.3)
  latencyRow(figures.samples, 'since acknowledged, p99', 'sinceAcknowledgedMs', 0.99, 1.5)
  latencyRow(figures.samples, 'since sent, p50', 'sinceSentMs', 0.5, 1.3)
  latencyRow(figures.samples, 'since sent, p99', 'sinceSentMs', 0.99, 1.5)
  countRow('changes never seen (both)', figures.lost, 0, '0')
  countRow('writes per changed endpoint', figures.writesPerChange, 2, '1.00')
  countRow('writes in a quiet minute', figures.quietWrites, 0, '0')
  countRow('writes at a restart', figures.restartWrites, 0, '0')
}

function latencyRow(
  samples: readonly Sample[],
  name: string,
  field: 'sinceSentMs' | 'sinceAcknowledgedMs',
  p: number,
  goal: number,
): void {
  const of = (group: Group): number =>
    quantile(
      samples.filter((sample) => sample.group === group).map((sample) => sample[field]),
      p,
    )
  const [operator, bare] = [of('operator'), of('bare')]
  const ratio = operator / bare
  row(
    name,
    milliseconds(operator),
    milliseconds(bare),
    ratio.toFixed(2),
    `≤ ${goal.toFixed(2)}`,
    ratio <= goal ? 'ok' : 'missed',
  )
}

function countRow(name: string, value: number, digits: number, goal: string): void {
  const text = value.toFixed(digits)
  row(name, text, '', '', goal, text === goal ? 'ok' : 'missed')
}

function row(name: string, operator: string, bare: string, ratio: string, goal: string, verdict: string): void {
  console.log(
    `${name.padEnd(28)}${[operator, bare, ratio, goal].map((cell) => cell.padStart(11)).join('')}  ${verdict}`.trimEnd(),
  )
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`
}

/** Nearest rank. */
function quantile(values: readonly number[], p: number): number {
  return values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(values.length * p) - 1)] ?? Number.NaN
}
