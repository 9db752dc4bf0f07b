import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { errorFromStatus } from '../../../src/etcd/status-errors.ts'

describe('the outcome of a failed write', () => {
  for (const { code, details, want } of [
    // The connection was lost after the request was handed over: it may be anywhere.
    { code: status.UNAVAILABLE, details: 'Connection dropped', want: ['TimeoutError', 'UNAVAILABLE'] },
    { code: status.UNAVAILABLE, details: 'read ECONNRESET', want: ['TimeoutError', 'UNAVAILABLE'] },
    { code: status.UNAVAILABLE, details: 'etcdserver: leader changed', want: ['TimeoutError', 'UNAVAILABLE'] },
    { code: status.UNAVAILABLE, details: 'etcdserver: request timed out', want: ['TimeoutError', 'UNAVAILABLE'] },
    { code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded', want: ['TimeoutError', 'DEADLINE_EXCEEDED'] },
    { code: status.INTERNAL, details: 'Received RST_STREAM with code 2', want: ['TimeoutError', 'INTERNAL'] },
    { code: status.CANCELLED, details: 'etcdserver: request canceled', want: ['TimeoutError', 'CANCELLED'] },
    { code: status.UNKNOWN, details: 'something new', want: ['TimeoutError', 'UNKNOWN'] },
    // It never left, or was turned away at the door.
    {
      code: status.UNAVAILABLE,
      details: 'No connection established. Last error: connect ECONNREFUSED',
      want: ['UnavailableError', 'UNAVAILABLE'],
    },
    {
      code: status.DEADLINE_EXCEEDED,
      details: 'Deadline exceeded after 5s,Waiting for LB pick',
      want: ['UnavailableError', 'DEADLINE_EXCEEDED'],
    },
    { code: status.UNAVAILABLE, details: 'etcdserver: no leader', want: ['UnavailableError', 'UNAVAILABLE'] },
    {
      code: status.RESOURCE_EXHAUSTED,
      details: 'etcdserver: too many requests',
      want: ['UnavailableError', 'RESOURCE_EXHAUSTED'],
    },
    // A definite no.
    {
      code: status.RESOURCE_EXHAUSTED,
      details: 'etcdserver: mvcc: database space exceeded',
      want: ['RejectedError', 'no-space'],
    },
    {
      code: status.NOT_FOUND,
      details: 'etcdserver: requested lease not found',
      want: ['RejectedError', 'lease-not-found'],
    },
    {
      code: status.INVALID_ARGUMENT,
      details: 'etcdserver: something new',
      want: ['RejectedError', 'INVALID_ARGUMENT'],
    },
    {
      code: status.PERMISSION_DENIED,
      details: 'etcdserver: permission denied',
      want: ['ForbiddenError', 'permission-denied'],
    },
    {
      code: status.UNAVAILABLE,
      details: 'No connection established. Last error: Error: unable to verify the first certificate',
      want: ['ForbiddenError', 'bad-certificate'],
    },
  ]) {
    test(`${status[code]} "${details}" is ${want.join(' ')}`, () => {
      const error = errorFromStatus({ code, details }, true, 'etcd')
      assert.deepEqual([error.name, error.code], want)
    })
  }

  test('a failed read is never in doubt', () => {
    assert.equal(
      errorFromStatus({ code: status.UNAVAILABLE, details: 'Connection dropped' }, false, 'etcd').name,
      'UnavailableError',
    )
  })
})
