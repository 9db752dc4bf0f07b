/** From what a watch delivers to lines: what came, went and changed. Keeps the set, to tell the three apart; else pure. */
import type { DecodedEndpoint } from '../naming/endpoint.ts'
import { addressOf } from '../naming/key.ts'
import type { WatchItem } from '../naming/view.ts'
import { jsonLine, padded, printable, showMetadata } from './terminal.ts'
import type { Paint, Style } from './terminal.ts'

export interface Change {
  /** `present`: of the whole set at the start. */
  readonly op: 'present' | 'add' | 'change' | 'delete'
  readonly key: string
  readonly address: string
  readonly revision: number
  /** What there is now; of a delete, what there was. */
  readonly metadata: unknown
  /** Of a change: what there was. */
  readonly previous?: DecodedEndpoint | undefined
}

export class ChangeTracker {
  readonly #target: string
  readonly #known = new Map<string, DecodedEndpoint>()
  #isFirst = true

  constructor(target: string) {
    this.#target = target
  }

  get size(): number {
    return this.#known.size
  }

  apply({ revision, updates }: WatchItem): readonly Change[] {
    const addOp = this.#isFirst ? 'present' : 'add'
    this.#isFirst = false
    return updates.map((update): Change => {
      const { key } = update
      const previous = this.#known.get(key)
      if (update.op === 'delete') {
        this.#known.delete(key)
        const { addr, metadata } = previous ?? { addr: addressOf(this.#target, key), metadata: null }
        return { op: 'delete', key, address: addr, revision, metadata }
      }
      this.#known.set(key, update.endpoint)
      const { addr, metadata } = update.endpoint
      return { op: previous === undefined ? addOp : 'change', key, address: addr, revision, metadata, previous }
    })
  }
}

const SIGNS: Readonly<Record<Change['op'], readonly [string, Style]>> = {
  present: [' ', 'reset'],
  add: ['+', 'green'],
  change: ['~', 'yellow'],
  delete: ['-', 'red'],
}

/** Wide enough for most addresses: a stream of lines can not know the widest. */
const ADDRESS_WIDTH = 21
const REVISION_WIDTH = 5

export function changeAsText(change: Change, at: Date, paint: Paint): string {
  const { op, address, revision, metadata, previous } = change
  const [sign, style] = SIGNS[op]
  const parts = [paint('dim', clock(at)), paint(style, `${sign} ${padded(printable(address), ADDRESS_WIDTH)}`)]
  const rev = `${paint('dim', 'rev')} ${revision}`
  if (metadata === null && previous === undefined) return [...parts, rev].join('  ')
  parts.push(`${paint('dim', 'rev')} ${padded(String(revision), REVISION_WIDTH)}`, showMetadata(metadata))
  if (previous !== undefined) parts.push(paint('dim', `was ${wasOf(change, previous)}`))
  return parts.join('  ')
}

export function changeAsJson({ op, key, address, metadata, revision, previous }: Change, at: Date): string {
  const before = previous === undefined ? {} : { previous: { address: previous.addr, metadata: previous.metadata } }
  return jsonLine({ time: at.toISOString(), op, key, address, metadata, ...before, revision })
}

function wasOf({ address }: Change, { addr, metadata }: DecodedEndpoint): string {
  return addr === address ? showMetadata(metadata) : `${printable(addr)} ${showMetadata(metadata)}`
}

/** Local time with milliseconds, as logs have it. */
export function clock(at: Date): string {
  return `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, '0')}`
}
