/** What the commands print, to the letter, with and without colours. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { ChangeTracker, changeAsJson, changeAsText } from '../../../src/cli/changes.ts'
import { listAsJson, listAsTable } from '../../../src/cli/listing.ts'
import { createPaint, jsonLine, printable, shellWord, showMetadata, table, widthOf } from '../../../src/cli/terminal.ts'
import type { Entry } from '../../../src/etcd/kv.ts'
import type { WatchItem } from '../../../src/naming/view.ts'

const plain = createPaint(false)
const colour = createPaint(true)
const ESCAPE = '\u001b['

describe('a table', () => {
  const rows = [
    [{ text: 'a' }, { text: 'long one', style: 'red' as const }],
    [{ text: 'longer' }, { text: '' }],
  ]
  test('has columns of equal width, and no blanks at the end of a line', () => {
    assert.equal(table(['X', 'Y'], rows, plain), 'X       Y\na       long one\nlonger')
  })
  test('is the same in colour, but for the colours', () => {
    const text = table(['X', 'Y'], rows, colour)
    assert.ok(text.includes(`${ESCAPE}31mlong one${ESCAPE}39m`))
    assert.equal(stripVTControlCharacters(text), table(['X', 'Y'], rows, plain))
  })
})

describe('the width of text', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['10.0.0.1:1', 10],
    ['größe', 5],
    ['日本.example', 12],
    ['한국:1', 6],
    ['ｶﾅ', 2],
    ['！', 2],
    ['😀', 2],
    ['e\u0301\u200d', 1],
  ]
  for (const [text, want] of cases) test(`${text} takes ${want} columns`, () => assert.equal(widthOf(text), want))
  test('is what columns are made of', () => {
    assert.equal(table(['X', 'Y'], [[{ text: '日本' }, { text: 'b' }]], plain), 'X     Y\n日本  b')
  })
})

describe('text of strangers', () => {
  test('can not move the cursor, colour or turn a line', () => {
    assert.equal(printable('a\u001b[31m\n\u009b\u202eb\u2028é'), String.raw`a\u001b[31m\u000a\u009b\u202eb\u2028é`)
    assert.equal(printable('a key that is not UTF-8: \udcff'), String.raw`a key that is not UTF-8: \udcff`)
  })
  test('in JSON stays the same JSON', () => {
    const value = { text: '\u009b\u202e"\\u' }
    assert.doesNotMatch(jsonLine(value), /[\u009b\u202e]/)
    assert.deepEqual(JSON.parse(jsonLine(value)), value)
  })
  test('is one word for a shell', () => {
    assert.equal(shellWord('payments/ledger'), 'payments/ledger')
    assert.equal(shellWord("it's; rm"), String.raw`'it'\''s; rm'`)
  })
  test('metadata of any depth are one line', () => {
    let deep: unknown = 1
    for (let level = 0; level < 9_000; level++) deep = [deep]
    assert.equal(showMetadata(deep).length, 18_001)
    assert.equal(showMetadata(null), '-')
  })
})

describe('a list', () => {
  const entry = (name: string, value: string, lease: string | null = null): Entry => ({
    key: `t/${name}`,
    value: Buffer.from(value),
    lease,
    createRevision: 1,
    modRevision: 12,
  })
  const endpoint = (addr: string, metadata = 'null') => `{"Op":0,"Addr":"${addr}","Metadata":${metadata}}`
  const leases = new Map([['abc', { remainingTtlSeconds: 7, grantedTtlSeconds: 30 }]])

  test('shows how long leases still live, "?" for one that is gone or secret, and no NOTE when there is none', () => {
    const entries = [
      entry('10.0.0.1:1', endpoint('10.0.0.1:1', '{"zone":"a"}'), 'abc'),
      entry('10.0.0.2:1', endpoint('10.0.0.2:1'), 'def'),
      entry('10.0.0.3:1', endpoint('10.0.0.3:1')),
    ]
    assert.equal(
      listAsTable('t', entries, leases, plain),
      `ADDRESS     REVISION  LEASE             TTL    METADATA
10.0.0.1:1  12        0000000000000abc  7/30s  {"zone":"a"}
10.0.0.2:1  12        0000000000000def  ?      -
10.0.0.3:1  12        -                 -      -`,
    )
    assert.deepEqual(JSON.parse(listAsJson(entries, leases)[0] ?? ''), {
      key: 't/10.0.0.1:1',
      address: '10.0.0.1:1',
      metadata: { zone: 'a' },
      lease: '0000000000000abc',
      ttlSeconds: 7,
      grantedTtlSeconds: 30,
      revision: 12,
      createRevision: 1,
    })
  })

  test('marks what clients skip, what they can not dial, and keys of another name', () => {
    const entries = [
      entry('10.0.0.1:1', '[]'),
      entry('10.0.0.2:1', endpoint('')),
      entry('x', endpoint('nohost')),
      entry('y', endpoint('10.0.0.3:1')),
    ]
    const notes = listAsTable('t', entries, leases, plain)
      .split('\n')
      .map((line) => [line.split(' ')[0], line.split('  ').at(-1)?.trim()])
    assert.deepEqual(notes, [
      ['ADDRESS', 'NOTE'],
      [
        '10.0.0.1:1',
        'no endpoint, clients skip it: json: cannot unmarshal array into Go value of type internal.Update',
      ],
      ['""', 'no host:port, clients can not dial it; key ends in 10.0.0.2:1'],
      ['nohost', 'no host:port, clients can not dial it; key ends in x'],
      ['10.0.0.3:1', 'key ends in y'],
    ])
    assert.ok(listAsTable('t', entries, leases, colour).includes(`${ESCAPE}31m10.0.0.1:1${ESCAPE}39m`))
  })

  test('has nothing to note of what clients dial', () => {
    for (const addr of ['unix:/run/x.sock', ':50051', '日本.example:50051', '[fe80::1%eth0]:1'])
      assert.doesNotMatch(listAsTable('t', [entry(addr, endpoint(addr))], leases, plain), /NOTE/)
  })
})

describe('a watch', () => {
  const at = new Date(2026, 0, 2, 3, 4, 5, 6)
  const add = (addr: string, metadata: unknown = null, name = addr) =>
    ({ op: 'add', key: `t/${name}`, endpoint: { addr, metadata } }) as const
  const items: readonly WatchItem[] = [
    { revision: 5, updates: [add('10.0.0.1:1', { zone: 'a' })] },
    { revision: 6, updates: [add('10.0.0.2:1'), add('10.0.0.1:1')] },
    { revision: 7, updates: [add('10.0.0.9:1', 1, '10.0.0.2:1'), { op: 'delete', key: 't/10.0.0.1:1' }] },
    { revision: 8, updates: [add('10.0.0.1:1')] },
  ]
  const changes = () => {
    const tracker = new ChangeTracker('t')
    return items.flatMap((item) => tracker.apply(item))
  }

  test('tells what was there, came, changed and went', () => {
    assert.deepEqual(
      changes().map((change) => changeAsText(change, at, plain)),
      [
        '03:04:05.006    10.0.0.1:1             rev 5      {"zone":"a"}',
        '03:04:05.006  + 10.0.0.2:1             rev 6',
        '03:04:05.006  ~ 10.0.0.1:1             rev 6      -  was {"zone":"a"}',
        '03:04:05.006  ~ 10.0.0.9:1             rev 7      1  was 10.0.0.2:1 -',
        '03:04:05.006  - 10.0.0.1:1             rev 7',
        '03:04:05.006  + 10.0.0.1:1             rev 8',
      ],
    )
  })

  test('is the same in colour, but for the colours', () => {
    for (const change of changes()) {
      const text = changeAsText(change, at, colour)
      assert.ok(text.includes(ESCAPE))
      assert.equal(stripVTControlCharacters(text), changeAsText(change, at, plain))
    }
  })

  test('is one JSON object a change', () => {
    assert.deepEqual(
      changes().map((change): unknown => JSON.parse(changeAsJson(change, at)).op),
      ['present', 'add', 'change', 'change', 'delete', 'add'],
    )
    const [, , changed] = changes()
    assert.ok(changed !== undefined)
    assert.deepEqual(JSON.parse(changeAsJson(changed, at)), {
      time: at.toISOString(),
      op: 'change',
      key: 't/10.0.0.1:1',
      address: '10.0.0.1:1',
      metadata: null,
      previous: { address: '10.0.0.1:1', metadata: { zone: 'a' } },
      revision: 6,
    })
  })
})
