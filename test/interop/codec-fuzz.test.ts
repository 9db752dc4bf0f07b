/** Our codec beside the official Go packages, on thousands of values that nobody thought of (S9). */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { decodeEndpoint, encodeEndpoint, type DecodedEndpoint } from '../../src/naming/endpoint.ts'
import { encodeJson, UnsupportedValueError } from '../../src/naming/json-encode.ts'
import { fuzz } from '../support/fuzz.ts'
import { startGoCodec, type GoCodec } from '../support/go-oracle.ts'
import { json, nested, text } from './json-arbitraries.ts'
import { storedBytes } from './stored-arbitraries.ts'

const RUNS = 5000

/**
 * As the Go program prints it. Values are compared as text because deep ones would overflow the stack, and because `JSON.parse` can not be
 * the judge: in V8 14.6 it reads `{"\u003c":0}` as `{"\\":0}` when it has seen that name before.
 */
function printed({ addr, metadata }: DecodedEndpoint): string {
  return `{"addr":${encodeJson(addr)},"metadata":${encodeJson(metadata)}}`
}

for (const version of ['3.5', '3.7'] as const) {
  describe(`beside Go's client ${version}, our codec`, { timeout: 300_000 }, () => {
    let go: GoCodec
    before(async () => {
      go = await startGoCodec(version)
    })
    after(async () => go.stop())

    const isWrittenAsGoDoes = async (addr: string, metadata: { value: unknown; text: string }): Promise<void> => {
      const theirs = await go.encode(addr, metadata.text)
      assert.ok(theirs.ok, JSON.stringify(theirs))
      assert.equal(encodeEndpoint({ addr, metadata: metadata.value }), theirs.value.toString())
    }

    const areReadAsGoDoes = async (bytes: Uint8Array): Promise<string> => {
      const theirs = await go.decode(bytes)
      const ours = decodeEndpoint(bytes)
      const given = `hex ${Buffer.from(bytes).toString('hex')}: ours ${JSON.stringify(ours)}, Go's ${JSON.stringify(theirs)}`
      assert.equal(ours.ok, theirs.ok, given)
      if (!ours.ok || !theirs.ok) return 'skipped'
      assert.equal(printed(ours.endpoint), theirs.endpoint, given)
      return 'read'
    }

    test('writes the same bytes', async (t) => {
      await fuzz(t, fc.tuple(text, json), RUNS, async ([addr, metadata]) => {
        await isWrittenAsGoDoes(addr, metadata)
        return 'written'
      })
    })

    test('reads the same endpoints, and skips the same values', async (t) => {
      const outcomes = await fuzz(t, storedBytes, RUNS, areReadAsGoDoes)
      for (const outcome of ['read', 'skipped']) assert.ok((outcomes.get(outcome) ?? 0) > RUNS / 10, outcome)
    })

    test('reads what it writes, as deep as Go reads', async (t) => {
      await fuzz(t, fc.oneof(fc.integer({ min: 1, max: 9999 }), fc.constant(9999)), 30, async (levels) => {
        const sample = nested(levels)
        await isWrittenAsGoDoes('a:1', sample)
        const bytes = Buffer.from(encodeEndpoint({ addr: 'a:1', metadata: sample.value }))
        const [ours, theirs] = [decodeEndpoint(bytes), await go.decode(bytes)]
        assert.ok(ours.ok && theirs.ok)
        assert.equal(printed(ours.endpoint), theirs.endpoint)
        return 'read'
      })
    })

    test('refuses to write deeper than Go reads, where Go writes what it can not read', async () => {
      const sample = nested(10_000)
      const theirs = await go.encode('a:1', sample.text)
      assert.ok(theirs.ok)
      assert.equal((await go.decode(theirs.value)).ok, false)
      assert.equal(decodeEndpoint(theirs.value).ok, false)
      assert.throws(() => encodeEndpoint({ addr: 'a:1', metadata: sample.value }), UnsupportedValueError)
    })
  })
}
