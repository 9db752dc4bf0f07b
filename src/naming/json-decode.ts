/**
 * A JSON reader that keeps what `JSON.parse` drops and Go's decoder looks at: the top-level members in document order with their
 * duplicates, the text of numbers, and whether one overflows. Accepts exactly what Go's `encoding/json` accepts. Pure.
 *
 * Without recursion, so that a hostile value can not exhaust the stack; objects are built so that no name (`__proto__`) can
 * reach a prototype.
 */

/** Arrays and objects may nest this deep: Go's limit. */
export const MAX_DEPTH = 10_000

/** A member of the top-level object. */
export interface JsonMember {
  readonly name: string
  readonly value: unknown
  /** When `value` is a number: as it was written. */
  readonly numberText: string
  /** The first number in `value`, however deep, that does not fit a double. */
  readonly overflow: string | undefined
}

export type JsonDocument =
  | { readonly ok: true; readonly value: unknown; readonly members: readonly JsonMember[] }
  /** `at`: where, in UTF-16 units from the start. */
  | { readonly ok: false; readonly error: string; readonly at: number }

/** An array or object that is being read. */
type Frame =
  | { readonly kind: 'array'; readonly value: unknown[] }
  | { readonly kind: 'object'; readonly value: Record<string, unknown>; name: string }

class JsonSyntaxError extends Error {
  readonly at: number

  constructor(message: string, at: number) {
    super(message)
    this.at = at
  }
}

/** Reads one JSON text. Of a top-level object, `value` is empty and `members` has everything. Error texts are Go's where cheap. */
export function decodeJson(text: string): JsonDocument {
  try {
    return read(text)
  } catch (error) {
    if (error instanceof JsonSyntaxError) return { ok: false, error: error.message, at: error.at }
    throw error
  }
}

function read(text: string): JsonDocument {
  let at = 0
  let numberText = ''
  let overflow: string | undefined
  const open: Frame[] = []
  const members: JsonMember[] = []

  for (;;) {
    let value: unknown
    const char = skipSpace()
    if (char === '{' || char === '[') {
      if (open.length >= MAX_DEPTH) throw new JsonSyntaxError('exceeded max depth', at)
      const frame: Frame = char === '{' ? { kind: 'object', value: {}, name: '' } : { kind: 'array', value: [] }
      at++
      if (skipSpace() !== closing(frame)) {
        if (frame.kind === 'object') frame.name = readName()
        open.push(frame)
        continue
      }
      at++
      value = frame.value
    } else {
      value = readScalar(char)
    }
    // A value is complete: into its container with it, and on to the next one, closing what ends here.
    for (;;) {
      const frame = open.at(-1)
      const next = skipSpace()
      if (frame === undefined) {
        if (next !== '') fail('after top-level value')
        return { ok: true, value, members }
      }
      put(frame, value)
      if (next === ',') {
        at++
        skipSpace()
        if (frame.kind === 'object') frame.name = readName()
        break
      }
      if (next !== closing(frame)) fail(frame.kind === 'object' ? 'after object key:value pair' : 'after array element')
      at++
      open.pop()
      value = frame.value
    }
  }

  function put(frame: Frame, value: unknown): void {
    if (frame.kind === 'array') {
      frame.value.push(value)
    } else if (open.length === 1) {
      members.push({ name: frame.name, value, numberText, overflow })
      overflow = undefined
    } else if (!(frame.name in frame.value)) {
      // Several times as fast as to define it, and the same where no prototype knows the name.
      frame.value[frame.name] = value
    } else {
      Object.defineProperty(frame.value, frame.name, { value, writable: true, enumerable: true, configurable: true })
    }
  }

  /** Moves to the next character that is not white space, and returns it; `''` at the end. */
  function skipSpace(): string {
    for (;;) {
      const char = text.charAt(at)
      if (char !== ' ' && char !== '\n' && char !== '\t' && char !== '\r') return char
      at++
    }
  }

  function readName(): string {
    if (text.charAt(at) !== '"') fail('looking for beginning of object key string')
    const name = readString()
    if (skipSpace() !== ':') fail('after object key')
    at++
    return name
  }

  function readScalar(char: string): unknown {
    if (char === '"') return readString()
    if (char === '-' || (char >= '0' && char <= '9')) return readNumber()
    for (const [word, value] of LITERALS) {
      if (!text.startsWith(word, at)) continue
      at += word.length
      return value
    }
    return fail('looking for beginning of value')
  }

  function readNumber(): number {
    NUMBER.lastIndex = at
    const match = NUMBER.exec(text)
    if (match === null) {
      at++
      return fail('in numeric literal')
    }
    numberText = match[0]
    at += numberText.length
    const value = Number(numberText)
    if (!Number.isFinite(value)) overflow ??= numberText
    return value
  }

  function readString(): string {
    let start = ++at
    let result = ''
    for (;;) {
      const unit = text.charCodeAt(at)
      if (unit === 0x22) {
        result += text.slice(start, at++)
        // Only escapes can make a lone surrogate: the text itself comes from UTF-8.
        return result.toWellFormed()
      }
      if (unit === 0x5c) {
        result += text.slice(start, at++) + readEscape()
        start = at
      } else if (unit >= 0x20) {
        at++
      } else {
        fail('in string literal')
      }
    }
  }

  function readEscape(): string {
    const char = text.charAt(at)
    if (char === 'u') {
      const hex = text.slice(at + 1, at + 5)
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) fail('in \\u hexadecimal character escape')
      at += 5
      return String.fromCharCode(Number.parseInt(hex, 16))
    }
    const result = ESCAPES.get(char) ?? fail('in string escape code')
    at++
    return result
  }

  function fail(where: string): never {
    const code = text.codePointAt(at)
    if (code === undefined) throw new JsonSyntaxError('unexpected end of JSON input', at)
    throw new JsonSyntaxError(`invalid character ${quoteChar(code)} ${where}`, at)
  }
}

const LITERALS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

function closing(frame: Frame): string {
  return frame.kind === 'object' ? '}' : ']'
}

function quoteChar(code: number): string {
  const char = String.fromCodePoint(code)
  if (char === "'") return "'\\''"
  return /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(char) ? `'${char}'` : `'\\u${code.toString(16).padStart(4, '0')}'`
}
