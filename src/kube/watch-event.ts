/**
 * One line of a watch, one answer of a list: bytes and JSON to checked values. Pure. What does not read as it should is
 * `undecodable`, never skipped: a skipped line is a lost change, and a list without items is not an empty cluster (S4).
 */
import { isKubeObject, isRecord, type KubeObject } from './resource.ts'

export type WatchEvent =
  /** ADDED and MODIFIED say the same: this is how the object is now. */
  | { readonly kind: 'put'; readonly object: KubeObject }
  | { readonly kind: 'delete'; readonly object: KubeObject }
  | { readonly kind: 'bookmark'; readonly resourceVersion: string; readonly initialEventsEnd: boolean }
  /** The server ends the watch for a reason; `status` is its `Status` object. */
  | { readonly kind: 'error'; readonly status: unknown }
  | { readonly kind: 'undecodable' }

export interface ListPage {
  readonly items: readonly KubeObject[]
  readonly resourceVersion: string
  /** `undefined`: this was the last page. */
  readonly continueToken: string | undefined
}

const UNDECODABLE: WatchEvent = { kind: 'undecodable' }
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function parseWatchEvent(line: Uint8Array): WatchEvent {
  const event = parseJson(line)
  if (!isRecord(event)) return UNDECODABLE
  const object = event['object']
  switch (event['type']) {
    case 'ADDED':
    case 'MODIFIED':
      return withObject('put', object)
    case 'DELETED':
      return withObject('delete', object)
    case 'BOOKMARK':
      return bookmark(object)
    case 'ERROR':
      return { kind: 'error', status: object }
    default:
      return UNDECODABLE
  }
}

/** `undefined`: not a list, or one with a damaged item; its absence of items proves nothing. */
export function parseListPage(body: unknown): ListPage | undefined {
  if (!isRecord(body) || !Array.isArray(body['items']) || !isRecord(body['metadata'])) return undefined
  const { resourceVersion, continue: continueToken } = body['metadata']
  if (typeof resourceVersion !== 'string' || resourceVersion === '') return undefined
  const items: KubeObject[] = []
  for (const item of body['items']) {
    if (!isKubeObject(item)) return undefined
    items.push(item)
  }
  const more = typeof continueToken === 'string' && continueToken !== ''
  return { items, resourceVersion, continueToken: more ? continueToken : undefined }
}

function parseJson(line: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(line))
  } catch {
    // The reason (bad UTF-8, truncated JSON) would quote the object, which may hold secrets; the caller counts and reconnects.
    return undefined
  }
}

function withObject(kind: 'put' | 'delete', object: unknown): WatchEvent {
  return isKubeObject(object) ? { kind, object } : UNDECODABLE
}

/** A bookmark's object holds no name and no uid: only where the watch stands. */
function bookmark(object: unknown): WatchEvent {
  const metadata = isRecord(object) ? object['metadata'] : undefined
  if (!isRecord(metadata)) return UNDECODABLE
  const { resourceVersion, annotations } = metadata
  if (typeof resourceVersion !== 'string' || resourceVersion === '') return UNDECODABLE
  const initialEventsEnd = isRecord(annotations) && annotations['k8s.io/initial-events-end'] === 'true'
  return { kind: 'bookmark', resourceVersion, initialEventsEnd }
}
