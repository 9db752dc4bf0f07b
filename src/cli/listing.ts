/** The keys under a target as `grpc-etcd list` shows them: a table for people, JSON lines for programs. Pure. */
import type { LeaseTimes } from '../etcd/client.ts'
import type { Entry, LeaseId } from '../etcd/kv.ts'
import { parseDialAddress } from '../naming/dial-address.ts'
import { decodeEndpoint } from '../naming/endpoint.ts'
import { addressOf } from '../naming/key.ts'
import { jsonLine, printable, showLease, showMetadata, table } from './terminal.ts'
import type { Cell, Paint } from './terminal.ts'

type Leases = ReadonlyMap<LeaseId, LeaseTimes>

/** NOTE, only there when there is one, tells what clients can not dial and keys that are not named after their address. */
export function listAsTable(target: string, entries: readonly Entry[], leases: Leases, paint: Paint): string {
  const rows = entries.map((entry): readonly Cell[] => {
    const inKey = addressOf(target, entry.key)
    const decoded = decodeEndpoint(entry.value)
    const address = decoded.ok ? decoded.endpoint.addr : inKey
    const note = noteOn(inKey, decoded.ok ? { addr: address } : decoded)
    return [
      { text: address === '' ? '""' : printable(address), style: note.isBad ? 'red' : undefined },
      { text: String(entry.modRevision) },
      { text: entry.lease === null ? '-' : showLease(entry.lease), style: entry.lease === null ? 'dim' : undefined },
      { text: remaining(entry, leases) },
      { text: decoded.ok ? showMetadata(decoded.endpoint.metadata) : '-' },
      { text: printable(note.text), style: note.isBad ? 'red' : 'yellow' },
    ]
  })
  const columns = rows.some((row) => row.at(-1)?.text !== '') ? 6 : 5
  const head = ['ADDRESS', 'REVISION', 'LEASE', 'TTL', 'METADATA', 'NOTE'].slice(0, columns)
  return table(
    head,
    rows.map((row) => row.slice(0, columns)),
    paint,
  )
}

/** One object a key; of what is no endpoint `problem` says why, and `value` is what is there. */
export function listAsJson(entries: readonly Entry[], leases: Leases): readonly string[] {
  return entries.map((entry) => {
    const { key, value, lease, modRevision, createRevision } = entry
    const times = lease === null ? undefined : leases.get(lease)
    const decoded = decodeEndpoint(value)
    return jsonLine({
      key,
      ...(decoded.ok
        ? { address: decoded.endpoint.addr, metadata: decoded.endpoint.metadata }
        : { problem: decoded.error, value: Buffer.from(value).toString() }),
      lease: lease && showLease(lease),
      ttlSeconds: times?.remainingTtlSeconds ?? null,
      grantedTtlSeconds: times?.grantedTtlSeconds ?? null,
      revision: modRevision,
      createRevision,
    })
  })
}

function noteOn(
  inKey: string,
  found: { readonly addr: string } | { readonly error: string },
): { readonly text: string; readonly isBad: boolean } {
  if ('error' in found) return { text: `no endpoint, clients skip it: ${found.error}`, isBad: true }
  if (parseDialAddress(found.addr) === undefined)
    return { text: `no host:port, clients can not dial it; key ends in ${inKey}`, isBad: true }
  return { text: found.addr === inKey ? '' : `key ends in ${inKey}`, isBad: false }
}

/** Of its granted time: the keeper of a healthy lease renews it at a third. */
function remaining({ lease }: Entry, leases: Leases): string {
  if (lease === null) return '-'
  const times = leases.get(lease)
  return times === undefined ? '?' : `${times.remainingTtlSeconds}/${times.grantedTtlSeconds}s`
}
