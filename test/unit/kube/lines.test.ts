import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { createLineSplitter } from '../../../src/kube/lines.ts'

function split(chunks: readonly Uint8Array[]): readonly string[] {
  const splitter = createLineSplitter()
  return chunks.flatMap((chunk) => [...splitter.push(chunk)].map((line) => Buffer.from(line).toString()))
}

describe('the line splitter', () => {
  it('gives the same lines however the bytes are cut into chunks, inside characters too', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\n'))
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(400)), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''))
        const ends = [...new Set([...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort((a, b) => a - b)
        const chunks = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
        assert.deepEqual(split(chunks), lines)
      }),
    )
  })

  it('keeps back a line without its end', () => {
    assert.deepEqual(split([Buffer.from('one\ntw'), Buffer.from('o')]), ['one'])
  })

  it('does not look again at what it has seen: a long line in many chunks stays cheap', () => {
    const chunk = Buffer.alloc(64, 'x')
    const chunks = Array.from({ length: 100_000 }, () => chunk)
    const startedMs = performance.now()
    const [line] = split([...chunks, Buffer.from('\n')])
    assert.equal(line?.length, 6_400_000)
    // Quadratic copying would take minutes.
    assert(performance.now() - startedMs < 5_000)
  })
})
