/**
 * The building blocks of the CRD schemas: zod types that carry what the CRD needs (bounds, descriptions, CEL rules) and whose
 * messages, read after the field's name, say what the value must be. Pure.
 */
import * as z from 'zod'

/** A CEL rule of the CRD and what it says; the zod schema checks the same and says the same. */
export interface Rule {
  readonly rule: string
  readonly message: string
}

/** For `.meta()`: shown by `kubectl explain`, and checked by the API server. */
export function described(description: string, ...rules: readonly Rule[]): Record<string, unknown> {
  return rules.length === 0 ? { description } : { description, 'x-kubernetes-validations': rules }
}

/** What is wrong, in one way for all fields: absent, or not what it must be. */
export function must(be: string): (issue: { readonly input?: unknown }) => string {
  return (issue) => (issue.input === undefined ? `is required; it must be ${be}` : `must be ${be}`)
}

export function choice<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: must(`one of ${values.join(', ')}`) })
}

/** A whole number; `unit` as it stands in the message, e.g. `seconds`. */
export function integer(bounds: { readonly min: number; readonly max: number; readonly unit: string }) {
  const error = must(`a whole number of ${bounds.unit} from ${bounds.min} to ${bounds.max}`)
  return z.int({ error }).min(bounds.min, { error }).max(bounds.max, { error })
}

export function text(options: { readonly pattern: string; readonly maxLength: number; readonly be: string }) {
  const error = must(`${options.be} (at most ${options.maxLength} characters)`)
  return z.string({ error }).max(options.maxLength, { error }).regex(new RegExp(options.pattern), { error })
}

/** The name of another object of the same namespace. */
export function objectName(kind: string) {
  const label = '[a-z0-9]([a-z0-9-]*[a-z0-9])?'
  return text({
    pattern: `^${label}([.]${label})*$`,
    maxLength: 253,
    be: `the name of a ${kind} of the same namespace`,
  })
}
