/**
 * UTF-8 as Go and etcd see it: bytes that are not UTF-8, and the order of keys. Pure.
 */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Bytes to text; **each** byte that is not part of valid UTF-8 becomes U+FFFD, as in Go's `utf8.DecodeRune`. (The web's decoder
 * replaces a whole truncated sequence by one U+FFFD, which would show clients of the two languages different addresses.) A byte
 * order mark stays: Go refuses JSON that starts with one.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    return decodeInvalid(bytes)
  }
}

/** Orders strings by their UTF-8 bytes: Go's order of map keys and etcd's of keys. JavaScript's own `<` compares UTF-16 units. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    // Surrogates stand for characters past U+FFFF, so they sort after every other unit.
    if (left !== right) return left - right + (isSurrogate(left) ? 0x10000 : 0) - (isSurrogate(right) ? 0x10000 : 0)
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

function decodeInvalid(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const size = sequenceSize(bytes, at)
    text += size === 0 ? '\ufffd' : strict.decode(bytes.subarray(at, at + size))
    at += Math.max(size, 1)
  }
  return text
}

/** Length of the valid sequence that starts at `at`; 0 if none does (RFC 3629: shortest forms, no surrogates, up to U+10FFFF). */
function sequenceSize(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0
  if (lead < 0x80) return 1
  const size =
    lead >= 0xc2 && lead <= 0xdf ? 2 : lead >= 0xe0 && lead <= 0xef ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 0
  for (let offset = 1; offset < size; offset++) {
    const byte = bytes[at + offset] ?? 0
    const low = offset > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
    const high = offset > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
    if (byte < low || byte > high) return 0
  }
  return size
}
