/** The table of the propagation bench: every figure beside its goal. */
import type { Sample } from './measurement.ts'
import { milliseconds, printTable, quantile, ratioRow, type Row } from './table.ts'
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
  const { samples } = figures
  printTable([
    { name: '', cells: ['operator', 'bare', 'ratio', 'goal'] },
    latencyRow(samples, 'since acknowledged, p50', 'sinceAcknowledgedMs', 0.5, 1.3),
    latencyRow(samples, 'since acknowledged, p99', 'sinceAcknowledgedMs', 0.99, 1.5),
    latencyRow(samples, 'since sent, p50', 'sinceSentMs', 0.5, 1.3),
    latencyRow(samples, 'since sent, p99', 'sinceSentMs', 0.99, 1.5),
    countRow('changes never seen (both)', figures.lost, 0, '0'),
    countRow('writes per changed endpoint', figures.writesPerChange, 2, '1.00'),
    countRow('writes in a quiet minute', figures.quietWrites, 0, '0'),
    countRow('writes at a restart', figures.restartWrites, 0, '0'),
  ])
}

function latencyRow(
  samples: readonly Sample[],
  name: string,
  field: 'sinceSentMs' | 'sinceAcknowledgedMs',
  p: number,
  goal: number,
): Row {
  const of = (group: Group): number =>
    quantile(
      samples.filter((sample) => sample.group === group).map((sample) => sample[field]),
      p,
    )
  return ratioRow(name, of('operator'), of('bare'), milliseconds, goal)
}

function countRow(name: string, value: number, digits: number, goal: string): Row {
  const text = value.toFixed(digits)
  return { name, cells: [text, '', '', goal], verdict: text === goal ? 'ok' : 'missed' }
}
