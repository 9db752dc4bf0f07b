import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseListPage, parseWatchEvent } from '../../../src/kube/watch-event.ts'

const object = { kind: 'Pod', metadata: { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: '7' } }
const bytes = (value: unknown): Uint8Array => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const undecodable = { kind: 'undecodable' }

describe('a line of a watch', () => {
  const end = { 'k8s.io/initial-events-end': 'true' }
  const cases: readonly { readonly name: string; readonly line: unknown; readonly want: unknown }[] = [
    { name: 'ADDED', line: { type: 'ADDED', object }, want: { kind: 'put', object } },
    { name: 'MODIFIED', line: { type: 'MODIFIED', object }, want: { kind: 'put', object } },
    { name: 'DELETED', line: { type: 'DELETED', object }, want: { kind: 'delete', object } },
    {
      name: 'BOOKMARK',
      line: { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } },
      want: { kind: 'bookmark', resourceVersion: '9', initialEventsEnd: false },
    },
    {
      name: 'BOOKMARK at the end of the initial set',
      line: { type: 'BOOKMARK', object: { metadata: { resourceVersion: '9', annotations: end } } },
      want: { kind: 'bookmark', resourceVersion: '9', initialEventsEnd: true },
    },
    { name: 'ERROR', line: { type: 'ERROR', object: { code: 410 } }, want: { kind: 'error', status: { code: 410 } } },
    { name: 'BOOKMARK without a version', line: { type: 'BOOKMARK', object: { metadata: {} } }, want: undecodable },
    { name: 'an unknown type', line: { type: 'SURPRISE', object }, want: undecodable },
    { name: 'no object', line: { type: 'ADDED' }, want: undecodable },
    {
      name: 'no uid',
      line: { type: 'ADDED', object: { metadata: { ...object.metadata, uid: '' } } },
      want: undecodable,
    },
    { name: 'no version', line: { type: 'DELETED', object: { metadata: { name: 'a', uid: 'u' } } }, want: undecodable },
    {
      name: 'a label that is no string',
      line: { type: 'ADDED', object: { metadata: { ...object.metadata, labels: { a: 1 } } } },
      want: undecodable,
    },
    { name: 'truncated JSON', line: '{"type":"ADDED","obj', want: undecodable },
    { name: 'an empty line', line: '', want: undecodable },
    { name: 'no object at all', line: '[1]', want: undecodable },
  ]
  for (const { name, line, want } of cases) {
    it(`reads ${name}`, () => assert.deepEqual(parseWatchEvent(bytes(line)), want))
  }

  it('is undecodable when it is not UTF-8', () => {
    const line = Buffer.from(JSON.stringify({ type: 'ADDED', object: { ...object, spec: 'xx' } }))
    line[line.indexOf('xx')] = 0xff
    assert.deepEqual(parseWatchEvent(line), undecodable)
  })
})

describe('a page of a list', () => {
  const metadata = { resourceVersion: '9' }
  const cases: readonly { readonly name: string; readonly body: unknown; readonly want: unknown }[] = [
    {
      name: 'with items',
      body: { metadata, items: [object] },
      want: { items: [object], resourceVersion: '9', continueToken: undefined },
    },
    {
      name: 'that is empty',
      body: { metadata, items: [] },
      want: { items: [], resourceVersion: '9', continueToken: undefined },
    },
    {
      name: 'with more to come',
      body: { metadata: { ...metadata, continue: 'next' }, items: [] },
      want: { items: [], resourceVersion: '9', continueToken: 'next' },
    },
    {
      name: 'whose continue is empty',
      body: { metadata: { ...metadata, continue: '' }, items: [] },
      want: { items: [], resourceVersion: '9', continueToken: undefined },
    },
    { name: 'without items', body: { metadata }, want: undefined },
    { name: 'whose items are null', body: { metadata, items: null }, want: undefined },
    { name: 'without a version', body: { metadata: {}, items: [] }, want: undefined },
    { name: 'with a damaged item', body: { metadata, items: [object, {}] }, want: undefined },
    { name: 'that is a Status', body: { kind: 'Status', metadata: {} }, want: undefined },
    { name: 'that is null', body: null, want: undefined },
  ]
  for (const { name, body, want } of cases) {
    it(`is read when it is one ${name}`, () => assert.deepEqual(parseListPage(body), want))
  }
})
