/** What the commands on endpoints are given on the command line: how it is read, and why it is refused. */
import { z } from 'zod'
import { etcdShape } from '../config/etcd.ts'
import { parseAddress } from '../naming/address.ts'
import { decodeJson } from '../naming/json-decode.ts'
import { encodeJson, UnsupportedValueError } from '../naming/json-encode.ts'
import { parseTargetUri } from '../naming/target-uri.ts'

type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string }

/** A field that is read from text by `read`, with its error as the issue's message. */
function readBy<T>(read: (text: string) => Reading<T>) {
  return z.string().transform((text, context): T => {
    const reading = read(text)
    if (reading.ok) return reading.value
    context.addIssue({ code: 'custom', message: reading.error })
    return z.NEVER
  })
}

/** `payments/ledger`, or what clients dial: `etcd:///payments/ledger`. */
function readTarget(text: string): Reading<string> {
  const foreign = /^(?!etcd:)[a-z][a-z0-9+.-]*:\/\//i.test(text)
  if (foreign) return { ok: false, error: 'the scheme must be etcd, e.g. etcd:///payments/ledger, or left out' }
  const parsed = /^etcd:/i.test(text) ? parseTargetUri(text) : { ok: true as const, target: text }
  // The message of the setting begins with what was given.
  if (!parsed.ok) return { ok: false, error: parsed.error.replace(`can not dial ${JSON.stringify(text)}: `, '') }
  const { target } = parsed
  if (target === '') return { ok: false, error: 'must name a target, e.g. payments/ledger' }
  if (/[\p{Cc}\s]/u.test(target)) return { ok: false, error: 'must not hold spaces or control characters' }
  if (target.endsWith('/'))
    return { ok: false, error: `must not end with "/"; did you mean ${target.replace(/\/+$/, '')}?` }
  if (target.startsWith('_'))
    return { ok: false, error: 'is no target: the operator keeps its own records where a name begins with "_"' }
  return { ok: true, value: target }
}

/** An address that clients can dial, canonical. */
function readAddress(text: string): Reading<string> {
  const address = parseAddress(text)
  if (!address.ok) return address
  if (address.scope === 'unspecified')
    return { ok: false, error: `no client can dial ${address.host}: give the address of the machine` }
  return { ok: true, value: address.canonical }
}

function readMetadata(text: string): Reading<unknown> {
  const document = decodeJson(text)
  if (!document.ok) {
    const { error, at } = document
    return { ok: false, error: `is no JSON: ${error}, at character ${at + 1}; mind the quotes of the shell` }
  }
  const { value, members } = document
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const metadata = isObject ? Object.fromEntries(members.map((member) => [member.name, member.value])) : value
  try {
    encodeJson(metadata, 1)
    return { ok: true, value: metadata }
  } catch (error) {
    if (error instanceof UnsupportedValueError) return { ok: false, error: error.message }
    throw error
  }
}

function readLease(text: string): Reading<string> {
  const id = text.toLowerCase().replace(/^0+/, '')
  if (/^[0-9a-f]{1,16}$/.test(id)) return { ok: true, value: id }
  return { ok: false, error: 'must be the ID of a lease in hexadecimal, as etcdctl prints it, e.g. 694d81417acd4b11' }
}

/** Every command has these. */
export const commonShape = {
  ...etcdShape,
  target: readBy(readTarget),
  output: z
    .enum(['text', 'json'], 'must be text or json')
    .default('text')
    .meta({ title: 'FORMAT', alias: '-o', description: 'text, or json: one object a line' }),
}

export const addressToPut = readBy(readAddress)

/** Deleted is also what nobody should have written: the address as it stands in the key, and its canonical form. */
export const addressToDelete = z
  .string()
  .min(1, 'must be what follows the target in the key, e.g. 10.0.0.7:50051')
  .transform((text): readonly string[] => {
    const address = parseAddress(text)
    return address.ok && address.canonical !== text ? [text, address.canonical] : [text]
  })

export const metadata = readBy(readMetadata)
  .optional()
  .meta({ title: 'JSON', description: 'what clients get beside the address (default: null)' })

export const lease = readBy(readLease)
  .optional()
  .meta({ title: 'ID', description: 'the key goes with this lease (etcdctl lease grant)' })
