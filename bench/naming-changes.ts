/** Puts together what the writer, the two resolvers and the server saw of the changes of one pair of targets. All times are `wallMs`. */
import { z } from 'zod'

import type { Side, Targets } from './naming-targets.ts'

const changeSchema = z.tuple([z.number(), z.string(), z.string(), z.number(), z.number()])
const handedSchema = z.tuple([z.number(), z.array(z.string())])
const connectedSchema = z.tuple([z.number(), z.string()])

/** Milliseconds from a put to the new list in the hands of the channel, and to a connection to the new address. */
export interface ChangeTimes {
  readonly sentToHanded: readonly number[]
  readonly sentToConnected: readonly number[]
  /** etcd tells its watchers before it answers the put: negative when the watch was faster. */
  readonly acknowledgedToHanded: readonly number[]
  readonly acknowledgedToConnected: readonly number[]
  /** The next change came before there was a connection. */
  readonly overtaken: number
}

interface Change {
  readonly turn: number
  readonly side: Side
  readonly address: string
  readonly sentMs: number
  readonly acknowledgedMs: number
}

export class NamingChanges {
  readonly #targets: Targets
  readonly #changes: Change[] = []
  /** When an address was first in a list. */
  readonly #handed = { ours: new Map<string, number>(), go: new Map<string, number>() }
  /** When there was a first connection to a host. */
  readonly #connected = new Map<string, number>()
  #connections = 0

  constructor(targets: Targets) {
    this.#targets = targets
  }

  /** Takes a line of the writer. */
  wrote(line: string): void {
    const [turn, target, address, sentMs, acknowledgedMs] = changeSchema.parse(JSON.parse(line))
    const side = target === this.#targets.ours ? 'ours' : 'go'
    this.#changes.push({ turn, side, address, sentMs, acknowledgedMs })
  }

  /** Takes a line of our resolver. */
  handedOurs(line: string): void {
    this.handed('ours', ...handedSchema.parse(JSON.parse(line)))
  }

  /** Takes a list of addresses, or what is new in it. */
  handed(side: Side, atMs: number, addresses: readonly string[]): void {
    const seen = this.#handed[side]
    for (const address of addresses) if (!seen.has(address)) seen.set(address, atMs)
  }

  /** Takes a line of the server. */
  connected(line: string): void {
    const [atMs, host] = connectedSchema.parse(JSON.parse(line))
    this.#connections += 1
    if (!this.#connected.has(host)) this.#connected.set(host, atMs)
  }

  /** How many there were so far. */
  get connections(): number {
    return this.#connections
  }

  /** Whether the last change of each side has come through. */
  get settled(): boolean {
    return (['ours', 'go'] as const).every((side) => {
      const last = this.#changes.findLast((change) => change.side === side)
      return last !== undefined && this.#seen(last) !== undefined
    })
  }

  /** Of the turns from `firstTurn` on. */
  times(side: Side, firstTurn: number): ChangeTimes {
    const changes = this.#changes.filter((change) => change.side === side && change.turn >= firstTurn)
    const seen = changes.flatMap((change) => this.#seen(change) ?? [])
    return {
      sentToHanded: seen.map(({ change, handedMs }) => handedMs - change.sentMs),
      sentToConnected: seen.map(({ change, connectedMs }) => connectedMs - change.sentMs),
      acknowledgedToHanded: seen.map(({ change, handedMs }) => handedMs - change.acknowledgedMs),
      acknowledgedToConnected: seen.map(({ change, connectedMs }) => connectedMs - change.acknowledgedMs),
      overtaken: changes.length - seen.length,
    }
  }

  #seen(change: Change) {
    const handedMs = this.#handed[change.side].get(change.address)
    const connectedMs = this.#connected.get(change.address.replace(/:\d+$/, ''))
    return handedMs === undefined || connectedMs === undefined ? undefined : { change, handedMs, connectedMs }
  }
}
