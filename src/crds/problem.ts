/**
 * A user's mistake as data: what `parseGrpcService` and `parseGrpcEndpoint` return instead of throwing (S14: one bad object is
 * its own trouble). Pure.
 */
import type * as z from 'zod'
import type { ConditionReason } from './condition.ts'

export interface Problem {
  readonly reason: ConditionReason
  /** One sentence that begins with the field and says what it must be. */
  readonly message: string
  /** The field, e.g. `spec.pods.port`. */
  readonly path: string
}

export type ParseResult<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problems: readonly Problem[] }

export type DeepReadonly<T> = T extends object ? { readonly [Field in keyof T]: DeepReadonly<T[Field]> } : T

/** `object.spec` through the schema. Whatever `object` is, this returns. */
export function parseSpec<Spec>(schema: z.ZodType<Spec>, object: unknown): ParseResult<DeepReadonly<Spec>> {
  const parsed = schema.safeParse(ownField(object, 'spec'))
  // The schemas build new objects and nobody writes to them; only the type has to say so.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  if (parsed.success) return { ok: true, value: parsed.data as DeepReadonly<Spec> }
  const problems = parsed.error.issues.map((issue): Problem => {
    const path = fieldPath(issue.path)
    return { reason: 'InvalidSpec', message: `${path} ${issue.message}`, path }
  })
  return { ok: false, problems }
}

function ownField(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, name)
    ? Reflect.get(object, name)
    : undefined
}

function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`),
    'spec',
  )
}
