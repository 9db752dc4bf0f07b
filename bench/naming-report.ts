/** The tables of the naming bench: every figure beside Go's, the goal beside the ratio. */
import type { ChangeTimes } from './naming-changes.ts'
import type { Side } from './naming-targets.ts'
import { megabytes, milliseconds, printTable, quantile, ratioRow, type Row } from './table.ts'

export type BySide<T> = Readonly<Record<Side, T>>

export interface SizeFigures {
  readonly endpoints: number
  readonly times: BySide<ChangeTimes>
}

/** Of a whole process, in bytes. */
interface Memory {
  readonly rss: number
  readonly heap: number
}

export interface MemoryFigures {
  /** With an idle connection to etcd; with the whole list handed over; with a channel that is connected. */
  readonly ours: Readonly<Record<'base' | 'resolver' | 'channel', Memory>>
  /** Resident, with a channel to a few endpoints and to all. */
  readonly go: Readonly<Record<'base' | 'channel', number>>
}

export interface NamingFigures {
  readonly sizes: readonly SizeFigures[]
  readonly listed: number
  readonly listMs: BySide<readonly number[]>
  readonly memory: MemoryFigures
}

const LATENCY_GOAL = 1.2
const LIST_GOAL = 2

const HEAD: Row = { name: '', cells: ['ours', 'Go', 'ratio', 'goal'] }

export function printNamingReport({ sizes, listed, listMs, memory }: NamingFigures): void {
  for (const { endpoints, times } of sizes) {
    const changes = `${times.ours.sentToHanded.length} changes by us, ${times.go.sentToHanded.length} by Go`
    console.log(`\nEndpoint changed → channel of gRPC has the new list, ${endpoints} endpoints, ${changes}`)
    printTable([
      HEAD,
      row('acknowledged → connected, p50', times, 'acknowledgedToConnected', 0.5, LATENCY_GOAL),
      row('acknowledged → list handed over, p50', times, 'acknowledgedToHanded', 0.5),
      row('sent → list handed over, p50', times, 'sentToHanded', 0.5),
      row('sent → list handed over, p99', times, 'sentToHanded', 0.99),
      row('sent → connected, p50', times, 'sentToConnected', 0.5),
      row('sent → connected, p99', times, 'sentToConnected', 0.99),
      { name: 'changes overtaken by the next one', cells: [String(times.ours.overtaken), String(times.go.overtaken)] },
    ])
  }
  const count = listed.toLocaleString('en')
  console.log(`\nList of ${count} endpoints, ${listMs.ours.length} times each`)
  printTable([
    HEAD,
    ratioRow('median', quantile(listMs.ours, 0.5), quantile(listMs.go, 0.5), milliseconds, LIST_GOAL),
    ratioRow('fastest', quantile(listMs.ours, 0), quantile(listMs.go, 0), milliseconds),
  ])
  const { ours, go } = memory
  console.log(`\nMemory of a program with a channel (pick_first) to ${count} endpoints, resident`)
  printTable([
    { name: '', cells: ['ours', 'Go', 'ratio', 'our heap'] },
    memoryRow('without the endpoints', ours.base, go.base),
    memoryRow('resolver alone', ours.resolver),
    memoryRow('with the channel', ours.channel, go.channel),
    memoryRow('what the endpoints add', minus(ours.channel, ours.base), go.channel - go.base),
  ])
}

function row(
  name: string,
  times: BySide<ChangeTimes>,
  field: Exclude<keyof ChangeTimes, 'overtaken'>,
  p: number,
  goal?: number,
): Row {
  return ratioRow(name, quantile(times.ours[field], p), quantile(times.go[field], p), milliseconds, goal)
}

function memoryRow(name: string, ours: Memory, go?: number): Row {
  const cells = go === undefined ? [megabytes(ours.rss), '', ''] : ratioRow(name, ours.rss, go, megabytes).cells
  return { name, cells: [...cells, megabytes(ours.heap)] }
}

function minus(a: Memory, b: Memory): Memory {
  return { rss: a.rss - b.rss, heap: a.heap - b.heap }
}
