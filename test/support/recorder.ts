/**
 * The recorder: what an independent client, etcd's own etcdctl, sees of a store: every revision with all its events, in order. Tests
 * assert on it, so that nothing of the operator's own code stands between what was written and what is judged.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { Etcd } from '../../dev/control-plane/etcd.ts'
import { supervise, untilReady } from '../../dev/supervised-process.ts'
import { findTool } from '../../dev/tools/find.ts'
import { eventually } from './eventually.ts'

export interface StoredEntry {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  /** Lower-case hexadecimal, as in Records; `null`: on no lease. */
  readonly lease: string | null
}

export type RecordedEvent =
  | { readonly kind: 'put'; readonly key: string; readonly entry: StoredEntry; readonly before: StoredEntry | null }
  | { readonly kind: 'delete'; readonly key: string; readonly before: StoredEntry | null }

export interface RecordedRevision {
  readonly revision: number
  readonly events: readonly RecordedEvent[]
}

export interface Recorder {
  readonly revisions: readonly RecordedRevision[]
  /** What the store holds, as told by the events so far. */
  readonly entries: ReadonlyMap<string, StoredEntry>
  /** The entries under `<target>/`, sorted by key. */
  under(target: string): readonly StoredEntry[]
  /** The last segments of the keys under `<target>/`, sorted: `10.0.0.1:50051`. */
  addresses(target: string): readonly string[]
  /** The last revision seen, after everything written before the call was seen. */
  mark(): Promise<number>
  /** What came after a mark, of keys that begin with `prefix`. Call `mark()` after the last thing of interest. */
  since(mark: number, prefix?: string): readonly RecordedRevision[]
  /** Waits until exactly these addresses are under the target. @returns the revision that brought it about */
  untilAddresses(target: string, addresses: readonly string[], deadlineMs?: number): Promise<number>
  stop(): Promise<void>
}

const SENTINEL = '~sentinel'

const pair = z.object({
  key: z.base64(),
  create_revision: z.number().default(0),
  mod_revision: z.number(),
  value: z.base64().default(''),
  lease: z.string().default('0'),
})
const answer = z.object({
  Events: z
    .array(z.object({ type: z.union([z.number(), z.string()]).default(0), kv: pair, prev_kv: pair.optional() }))
    .nullish(),
  CompactRevision: z.number().default(0),
  Canceled: z.boolean().default(false),
})

/** Records from now on, restarts of the server included. */
export async function startRecorder(etcd: Etcd): Promise<Recorder> {
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-recorder-'))
  const revisions: { readonly revision: number; readonly events: RecordedEvent[] }[] = []
  const entries = new Map<string, StoredEntry>()
  let broken: string | undefined
  let marks = 0

  const child = supervise({
    command: await findTool(`etcdctl-${etcd.version}`),
    args: [`--endpoints=${etcd.endpoint}`, 'watch', '', '--prefix', '--prev-kv', '--write-out=json'],
    logFile: join(state, 'log'),
    removeOnLoss: state,
    onLine: (line) => {
      try {
        take(line)
      } catch (error) {
        broken ??= `${String(error)}: ${line.slice(0, 300)}`
      }
    },
  })

  function take(line: string): void {
    // Lease IDs have 63 bits: as strings, before they become doubles. Keys and values are base64 and hold no quotes.
    const parsed = answer.parse(JSON.parse(line.replaceAll(/"lease":(\d+)/g, '"lease":"$1"')))
    if (parsed.Canceled || parsed.CompactRevision > 0) throw new Error('etcd ended the watch')
    for (const { type, kv, prev_kv: previous } of parsed.Events ?? []) {
      const entry = entryOf(kv)
      const before = previous === undefined ? null : entryOf(previous)
      const isDelete = type === 1 || type === 'DELETE'
      if (isDelete) entries.delete(entry.key)
      else entries.set(entry.key, entry)
      let last = revisions.at(-1)
      if (last?.revision !== kv.mod_revision) {
        last = { revision: kv.mod_revision, events: [] }
        revisions.push(last)
      }
      last.events.push(
        isDelete ? { kind: 'delete', key: entry.key, before } : { kind: 'put', key: entry.key, entry, before },
      )
    }
  }

  const recorder: Recorder = {
    revisions,
    entries,
    under: (target) =>
      [...entries.values()].filter(({ key }) => key.startsWith(`${target}/`)).sort((a, b) => (a.key < b.key ? -1 : 1)),
    addresses: (target) => recorder.under(target).map(({ key }) => key.slice(target.length + 1)),
    async mark() {
      const value = String(++marks)
      await etcd.etcdctl('put', SENTINEL, value)
      const seen = (): StoredEntry | undefined => {
        if (broken !== undefined) throw new Error(`the recorder is broken: ${broken}`)
        const entry = entries.get(SENTINEL)
        return entry?.value === value ? entry : undefined
      }
      return (await eventually('the recorder sees the mark', seen)).modRevision
    },
    since: (mark, prefix = '') =>
      revisions
        .filter(({ revision }) => revision > mark)
        .map(({ revision, events }) => ({
          revision,
          events: events.filter(({ key }) => key !== SENTINEL && key.startsWith(prefix)),
        }))
        .filter(({ events }) => events.length > 0),
    async untilAddresses(target, addresses, deadlineMs) {
      const wanted = addresses.toSorted().join(' ')
      const same = (): boolean => recorder.addresses(target).join(' ') === wanted
      try {
        await eventually('', same, deadlineMs)
      } catch {
        const found = recorder.addresses(target).join(' ')
        throw new Error(`${target} has ${short(found)} and not ${short(wanted)}; ${broken ?? 'the recorder is well'}`)
      }
      const touching = revisions.findLast(({ events }) => events.some(({ key }) => key.startsWith(`${target}/`)))
      return touching?.revision ?? 0
    },
    async stop() {
      await child.stop(1000)
      rmSync(state, { recursive: true, force: true })
    },
  }
  // The watch is up when a put made now comes through; one made before it began is not seen.
  let tries = 0
  const isUp = async (): Promise<boolean> => {
    if (entries.has(SENTINEL)) return true
    await etcd.etcdctl('put', SENTINEL, `start ${++tries}`)
    return false
  }
  await untilReady(child, isUp)
  return recorder
}

function entryOf(kv: z.infer<typeof pair>): StoredEntry {
  return {
    key: text(kv.key),
    value: text(kv.value),
    createRevision: kv.create_revision,
    modRevision: kv.mod_revision,
    lease: kv.lease === '0' ? null : BigInt(kv.lease).toString(16),
  }
}

function text(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8')
}

function short(list: string): string {
  return list === '' ? 'nothing' : list.length > 400 ? `${list.slice(0, 400)}… (${list.split(' ').length})` : list
}
