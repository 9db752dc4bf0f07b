import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ForbiddenError, TimeoutError, UnavailableError } from '../../../src/errors.ts'
import { isAnswer, reasonOf } from '../../../src/kube/reflector-reason.ts'
import { ApiStatusError, eventError, httpError } from '../../../src/kube/status-error.ts'

const GET = { method: 'GET', path: '/api/v1/pods', server: 'https://10.0.0.1:6443' }
const PATCH = { ...GET, method: 'PATCH' }

describe('an answer of the API server that is not a success', () => {
  const cases = [
    { code: 400, type: ApiStatusError, reason: 'refused' },
    { code: 401, type: ForbiddenError, reason: 'forbidden' },
    { code: 403, type: ForbiddenError, reason: 'forbidden' },
    { code: 404, type: ApiStatusError, reason: 'not-found' },
    { code: 409, type: ApiStatusError, reason: 'refused' },
    { code: 410, type: ApiStatusError, reason: 'expired' },
    { code: 422, type: ApiStatusError, reason: 'refused' },
    { code: 429, type: UnavailableError, reason: 'overloaded' },
    { code: 500, type: UnavailableError, reason: 'overloaded' },
    { code: 503, type: UnavailableError, reason: 'overloaded' },
  ] as const
  for (const { code, type, reason } of cases) {
    it(`becomes ${type.name} for ${code}`, () => {
      const body = JSON.stringify({ kind: 'Status', code, message: 'because' })
      for (const error of [
        httpError(GET, code, body, undefined),
        eventError(GET, { kind: 'Status', code, message: 'because' }),
      ]) {
        assert(error instanceof type)
        assert.equal(error.code, String(code))
        assert.equal(error.message, `kubernetes https://10.0.0.1:6443 GET /api/v1/pods: HTTP ${code}: because`)
        assert.equal(reasonOf(error), reason)
      }
    })
  }

  it('leaves the outcome of a write open unless the server surely did nothing', () => {
    for (const code of [500, 502, 504]) assert(httpError(PATCH, code, '', undefined) instanceof TimeoutError)
    for (const code of [429, 503]) assert(httpError(PATCH, code, '', undefined) instanceof UnavailableError)
  })

  it('keeps what tells a missing object from a missing kind', () => {
    const named = { kind: 'Status', reason: 'NotFound', code: 404, details: { name: 'a', kind: 'pods' } }
    const error = httpError(GET, 404, JSON.stringify(named), undefined)
    assert(error instanceof ApiStatusError)
    assert.deepEqual([error.reason, error.objectName, error.objectKind], ['NotFound', 'a', 'pods'])
    const unserved = httpError(GET, 404, '404 page not found\n', undefined)
    assert(unserved instanceof ApiStatusError)
    assert.deepEqual([unserved.reason, unserved.objectName, unserved.objectKind], [undefined, undefined, undefined])
    assert.match(unserved.message, /HTTP 404: 404 page not found$/)
  })

  const waits: readonly { header?: string; seconds?: number; want: number | undefined }[] = [
    { want: undefined },
    { header: '3', want: 3_000 },
    { header: '3', seconds: 5, want: 3_000 },
    { seconds: 5, want: 5_000 },
    { header: 'soon', want: undefined },
    { header: 'Thu, 01 Jan 1970 00:00:00 GMT', want: undefined },
  ]
  for (const { header, seconds, want } of waits) {
    it(`asks to wait ${want ?? 'no'} ms for Retry-After ${header ?? 'absent'} and retryAfterSeconds ${seconds ?? 'absent'}`, () => {
      const body = JSON.stringify({ kind: 'Status', details: { retryAfterSeconds: seconds } })
      const error = httpError(GET, 429, body, header)
      assert(error instanceof UnavailableError)
      assert.equal(error.retryAfterMs, want)
    })
  }

  it('is cut when it is a page of HTML', () => {
    assert(httpError(GET, 502, '<p>'.repeat(10_000), undefined).message.length < 1_200)
  })

  it('is what slows the retries down; a server that is away does not', () => {
    assert.deepEqual([isAnswer('overloaded'), isAnswer('unreachable'), isAnswer('not-found')], [true, false, false])
  })

  it('is told apart from a bug', () => {
    assert.equal(reasonOf(new TypeError('oops')), undefined)
  })
})
