/** What the official Go packages write, read and dial, asked without an etcd: the judge of our codec and of our target grammar. */
import { z } from 'zod'
import { startAnswerer, type GoClientVersion, type GoProgram } from './go-program.ts'

export type GoResult<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly error: string }

export interface GoCodec extends GoProgram {
  /** The value that Manager.Update stores; `metadata` is JSON text. */
  readonly encode: (addr: string, metadata: string) => Promise<GoResult<{ readonly value: Buffer }>>
  /** The endpoint that Manager.List returns, as Go prints it: `{"addr":…,"metadata":…}`. An error: List leaves it out. */
  readonly decode: (value: Uint8Array) => Promise<GoResult<{ readonly endpoint: string }>>
}

const valueSchema = z.object({ value: z.base64() })
const failureSchema = z.object({ error: z.string() })

export async function startGoCodec(version: GoClientVersion): Promise<GoCodec> {
  const { ask, stop } = await startAnswerer(version, ['codec'])
  return {
    stop,
    async encode(addr, metadata) {
      const line = await ask(JSON.stringify({ encode: { addr, metadata } }))
      const failure = failureOf(line)
      if (failure !== undefined) return failure
      return { ok: true, value: Buffer.from(valueSchema.parse(JSON.parse(line)).value, 'base64') }
    },
    async decode(value) {
      const line = await ask(JSON.stringify({ decode: Buffer.from(value).toString('base64') }))
      return failureOf(line) ?? { ok: true, endpoint: line }
    },
  }
}

export interface GoTargets extends GoProgram {
  /** Whose endpoints etcd's resolver would read, and the `:authority` of calls; an error when grpc-go does not dial it, or not by etcd. */
  readonly dial: (target: string) => Promise<GoResult<{ readonly target: Buffer; readonly authority: string }>>
}

const dialledSchema = z.object({ target: z.base64(), authority: z.string() })

export async function startGoTargets(version: GoClientVersion): Promise<GoTargets> {
  const { ask, stop } = await startAnswerer(version, ['targets'])
  return {
    stop,
    async dial(uri) {
      const line = await ask(JSON.stringify(uri))
      const failure = failureOf(line)
      if (failure !== undefined) return failure
      const { target, authority } = dialledSchema.parse(JSON.parse(line))
      return { ok: true, target: Buffer.from(target, 'base64'), authority }
    },
  }
}

/** Answers may nest deeper than need be parsed, so it looks first. */
function failureOf(line: string): { readonly ok: false; readonly error: string } | undefined {
  if (!line.startsWith('{"error":')) return undefined
  return { ok: false, error: failureSchema.parse(JSON.parse(line)).error }
}
