/**
 * Keys as text and as bytes. Anybody may write a key that is not UTF-8: each of its bytes that is no part of UTF-8 becomes one lone
 * surrogate U+DC80–U+DCFF, which no UTF-8 has (Python calls it surrogateescape). So two keys never look like one, a range is paged exactly,
 * and what is under such a key is seen, and can be deleted, as by Go, whose strings are bytes. Pure.
 */
import { isUtf8 } from 'node:buffer'

const ESCAPE = 0xdc00

export function keyFromBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString()
  let key = ''
  for (let at = 0; at < bytes.length;) {
    const size = [1, 2, 3, 4].find((length) => isUtf8(bytes.subarray(at, at + length)))
    key +=
      size === undefined ? String.fromCharCode(ESCAPE + bytes.readUInt8(at)) : bytes.toString('utf8', at, at + size)
    at += size ?? 1
  }
  return key
}

/** Any other lone surrogate becomes U+FFFD, as everywhere in Node.js. */
export function keyToBytes(key: string): Buffer {
  if (key.isWellFormed()) return Buffer.from(key)
  return Buffer.concat(
    Array.from(key, (character) => {
      const byte = character.charCodeAt(0) - ESCAPE
      return byte >= 0x80 && byte <= 0xff ? Buffer.of(byte) : Buffer.from(character)
    }),
  )
}
