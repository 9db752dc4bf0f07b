/** The `metadata` of endpoints as users write it: any JSON value, bounded, because every client reads every endpoint's. Pure. */
import * as z from 'zod'
import { encodeJson } from '../naming/json-encode.ts'

/** Of its JSON text as Go writes it, in bytes. The API server can not check this one: a value of any type has no size in CEL. */
export const MAX_METADATA_BYTES = 4096

export const METADATA_WARNING =
  'Objects and arrays stored as such make Go clients panic that use the etcd client 3.5.0-3.5.26 or 3.6.0-3.6.7 with grpc-go up to 1.71 (etcd issue 19700), ' +
  "and newer Go resolvers ignore metadata altogether: a weight, zone or drain flag in it does nothing for stock clients. The only thing they obey is whether the endpoint's key is there."

const encoder = new TextEncoder()

/** For a field that may be absent; `null` says the same. */
export function metadataSchema(description: string) {
  return z
    .unknown()
    .superRefine((value, context) => {
      const error = metadataError(value)
      if (error !== undefined) context.addIssue({ code: 'custom', message: error })
    })
    .optional()
    .meta({ 'x-kubernetes-preserve-unknown-fields': true, description })
}

function metadataError(value: unknown): string | undefined {
  if (value === undefined) return undefined
  let bytes: number
  try {
    bytes = encoder.encode(encodeJson(value)).length
  } catch (error) {
    return `must be a JSON value: ${error instanceof Error ? error.message : String(error)}`
  }
  if (bytes <= MAX_METADATA_BYTES) return undefined
  return `must be at most ${MAX_METADATA_BYTES} bytes of JSON, it has ${bytes}; every client receives it with every endpoint, keep large data elsewhere`
}
