import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isTooOld } from '../../../src/etcd/server-version.ts'

describe('an etcd server', () => {
  const rows: readonly (readonly [version: string, old: boolean])[] = [
    ['3.4.44', true],
    ['3.5.29', true],
    ['3.5.30', false],
    ['3.6.0-rc.1', true],
    ['3.6.11', false],
    ['3.7.0', false],
    ['3.8.0-alpha.0', false],
    ['4.0.0', false],
    ['not a version', false],
  ]
  for (const [version, old] of rows)
    test(`${version} is ${old ? 'too old' : 'new enough'}`, () => assert.equal(isTooOld(version), old))
})
