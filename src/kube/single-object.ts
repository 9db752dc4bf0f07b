/**
 * Single objects by key, beside the stores: the proof that one is gone, and the write of its status.
 * Keeps: absence needs a quorum read answered by a 404 that names the object (S3); a status is never written over a newer object.
 */
import { UnavailableError } from '../errors.ts'
import type { KubeClient } from './client.ts'
import { apiVersion, isKubeObject, objectPath, splitKey, type KubeObject, type ResourceKind } from './resource.ts'
import { ApiStatusError } from './status-error.ts'

export type Lookup =
  | { readonly kind: 'found'; readonly object: KubeObject }
  /** The API server knows the kind and says that no object of this name exists. */
  | { readonly kind: 'absent' }

export interface StatusPatch {
  /** The object read, not another one of the same name. */
  readonly uid: string
  /**
   * Written only if the object is still at this version. Never left out: for kinds of a CRD the API server does not look at the
   * uid, so that a late status would go to the successor of a deleted object.
   */
  readonly resourceVersion: string
  /** Who owns the fields (server-side apply). */
  readonly fieldManager: string
  /** All fields that we own; those that we owned before and are not in it go away. */
  readonly status: Readonly<Record<string, unknown>>
}

export type StatusOutcome =
  | { readonly kind: 'applied'; readonly resourceVersion: string }
  /** The object is another one, or at another version: read again. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'absent' }

/**
 * Reads one object from the quorum (no `resourceVersion` parameter, so never from a cache that lags behind).
 * A 404 without the object's name means that the kind is not served, which proves nothing: ApiStatusError.
 */
export async function getObject(
  client: KubeClient,
  resource: ResourceKind,
  key: string,
  signal: AbortSignal,
): Promise<Lookup> {
  try {
    return { kind: 'found', object: checked(client, await client.request({ path: objectPath(resource, key) }, signal)) }
  } catch (error) {
    if (namesObject(error, resource, key)) return { kind: 'absent' }
    throw error
  }
}

/** Server-side apply on `/status`, with force: the fields are ours, whoever wrote them before. */
export async function applyStatus(
  client: KubeClient,
  resource: ResourceKind,
  key: string,
  patch: StatusPatch,
  signal: AbortSignal,
): Promise<StatusOutcome> {
  const { uid, resourceVersion, fieldManager, status } = patch
  const metadata = { ...splitKey(key), uid, resourceVersion }
  try {
    const answer = await client.request(
      {
        method: 'PATCH',
        path: `${objectPath(resource, key)}/status`,
        query: { fieldManager, force: true },
        contentType: 'application/apply-patch+yaml',
        body: { apiVersion: apiVersion(resource), kind: resource.kind, metadata, status },
      },
      signal,
    )
    return { kind: 'applied', resourceVersion: checked(client, answer).metadata.resourceVersion }
  } catch (error) {
    if (isConflict(error)) return { kind: 'conflict' }
    if (namesObject(error, resource, key)) return { kind: 'absent' }
    throw error
  }
}

/** 409; or 422 about the uid alone, which is how built-in kinds say that the object is another one. */
function isConflict(error: unknown): boolean {
  if (!(error instanceof ApiStatusError)) return false
  return error.code === '409' || (error.code === '422' && error.invalidFields.join() === 'metadata.uid')
}

function namesObject(error: unknown, resource: ResourceKind, key: string): boolean {
  return (
    error instanceof ApiStatusError &&
    error.code === '404' &&
    error.objectName === splitKey(key).name &&
    error.objectKind === resource.plural
  )
}

function checked(client: KubeClient, answer: unknown): KubeObject {
  if (isKubeObject(answer)) return answer
  const target = `kubernetes ${client.server}`
  throw new UnavailableError(`${target}: the answer is not an object`, { code: 'undecodable', target })
}
