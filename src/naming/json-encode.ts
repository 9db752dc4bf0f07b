/**
 * JSON text exactly as Go's `encoding/json` writes it. Keeps S9. Pure.
 *
 * Without recursion: a value may nest as deep as Go reads (MAX_DEPTH), which the call stack could not hold.
 */
import { InvalidArgumentError } from '../errors.ts'
import { MAX_DEPTH } from './json-decode.ts'
import { compareUtf8 } from './utf8.ts'

/** The value has no JSON form in Go; the message is what Go says, or would say. */
export class UnsupportedValueError extends InvalidArgumentError {
  constructor(message: string) {
    super(message, 'etcd', 'unsupported-value')
  }
}

/** An array or object that is being written. */
interface Frame {
  readonly container: object
  /** `undefined` for an array. */
  readonly names: readonly string[] | undefined
  readonly values: readonly unknown[]
  next: number
}

/**
 * `<` `>` `&` U+2028 U+2029 are escaped, object keys sorted by their UTF-8 bytes, lone surrogates become U+FFFD, `-0` stays.
 * Accepts what JSON can carry: null, booleans, finite numbers, strings, arrays, plain objects. `outerLevels`: how many levels
 * the caller will wrap round the text.
 *
 * @throws UnsupportedValueError for anything else (`undefined`, holes, functions, symbols, bigint, NaN, Infinity, class
 * instances such as Date or Map, cycles), and for nesting that no Go client could read back.
 */
export function encodeJson(value: unknown, outerLevels = 0): string {
  const open: Frame[] = []
  const inside = new Set<object>()
  let text = ''

  function write(item: unknown): void {
    if (typeof item !== 'object' || item === null) {
      text += scalar(item)
      return
    }
    const frame = frameOf(item)
    if (inside.has(item))
      throw new UnsupportedValueError(`json: unsupported value: encountered a cycle via ${goType(frame)}`)
    if (open.length + outerLevels >= MAX_DEPTH)
      throw new UnsupportedValueError('json: unsupported value: exceeded max depth')
    inside.add(item)
    open.push(frame)
    text += frame.names === undefined ? '[' : '{'
  }

  write(value)
  for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) {
    if (frame.next === frame.values.length) {
      text += frame.names === undefined ? ']' : '}'
      inside.delete(frame.container)
      open.pop()
      continue
    }
    if (frame.next > 0) text += ','
    if (frame.names !== undefined) text += `${quote(frame.names[frame.next] ?? '')}:`
    write(frame.values[frame.next++])
  }
  return text
}

function frameOf(container: object): Frame {
  if (Array.isArray(container)) return { container, names: undefined, values: container, next: 0 }
  if (!isPlain(container)) throw new UnsupportedValueError(`json: unsupported type: ${className(container)}`)
  if (Object.getOwnPropertySymbols(container).length > 0)
    throw new UnsupportedValueError('json: unsupported type: symbol key')
  // A Map, because two names that differ only in lone surrogates are one name in Go; the last one wins, as when Go reads them.
  const members = new Map(Object.entries(container).map(([name, value]) => [name.toWellFormed(), value as unknown]))
  const names = [...members.keys()].sort(compareUtf8)
  return { container, names, values: names.map((name) => members.get(name)), next: 0 }
}

/** No prototype, or the root one (of any realm). */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function className(value: object): string {
  const constructor: unknown = Reflect.get(value, 'constructor')
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'object'
}

function goType(frame: Frame): string {
  return frame.names === undefined ? '[]interface {}' : 'map[string]interface {}'
}

function scalar(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return quote(value)
  if (typeof value !== 'number') throw new UnsupportedValueError(`json: unsupported type: ${typeof value}`)
  if (Number.isNaN(value)) throw new UnsupportedValueError('json: unsupported value: NaN')
  if (!Number.isFinite(value)) throw new UnsupportedValueError(`json: unsupported value: ${value > 0 ? '+' : '-'}Inf`)
  return Object.is(value, -0) ? '-0' : String(value)
}

/** JSON.stringify escapes the same characters as Go in the same way, but for these five. */
export function quote(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(/[<>&\u2028\u2029]/g, escapeUnit)
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
