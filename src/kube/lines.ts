/**
 * Splits a watch's bytes into lines. Works on bytes, so a UTF-8 sequence cut by a chunk boundary is never decoded in halves,
 * and looks at each byte once, so a line of a megabyte in a thousand chunks costs no more than its length.
 */

export interface LineSplitter {
  /** The lines that this chunk completes, without their line feed. A line without its line feed stays pending. */
  push(chunk: Uint8Array): Iterable<Uint8Array>
}

const LINE_FEED = 0x0a

export function createLineSplitter(): LineSplitter {
  let pending: Uint8Array[] = []

  function complete(tail: Uint8Array): Uint8Array {
    if (pending.length === 0) return tail
    const line = Buffer.concat([...pending, tail])
    pending = []
    return line
  }

  return {
    *push(chunk) {
      let start = 0
      for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
        const tail = chunk.subarray(start, end)
        start = end + 1
        yield complete(tail)
      }
      if (start < chunk.length) pending.push(chunk.subarray(start))
    },
  }
}
