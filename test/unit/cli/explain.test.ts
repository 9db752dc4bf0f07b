import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { explain, reasonOf } from '../../../src/cli/explain.ts'
import type { Attempt } from '../../../src/cli/explain.ts'
import { ConfigError, InvariantError } from '../../../src/errors.ts'
import { errorFromStatus } from '../../../src/etcd/status-errors.ts'

const attempt: Attempt = {
  target: 'payments/ledger',
  needs: 'readwrite',
  settings: { etcdEndpoints: [], etcdUsername: 'app', etcdRequestTimeoutSeconds: 5 },
}
const failure = (code: status, details: string, endpoint = 'http://a:2379') =>
  errorFromStatus({ code, details }, true, `etcd ${endpoint}`)
const dial = (reason: string) => `No connection established. Last error: ${reason}. Resolution note: `

describe('the reason of an error', () => {
  // As @grpc/grpc-js 1.14 and OpenSSL 3 really say it.
  const cases: readonly (readonly [string, string])[] = [
    [dial('Error: connect ECONNREFUSED 127.0.0.1:1'), 'connect ECONNREFUSED 127.0.0.1:1'],
    [dial('Failed to connect (2026-11-24T01:14:22.371Z)'), 'Failed to connect'],
    [
      dial(
        'Error: unable to verify the first certificate; if the root CA is installed locally, try running Node.js with --use-system-ca',
      ),
      'unable to verify the first certificate',
    ],
    [
      dial(
        '40E311FDAA7F0000:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../deps/openssl/rec_layer_s3.c:918:SSL alert number 116\n (2026-11-24T01:14:22.403Z)',
      ),
      'tlsv13 alert certificate required',
    ],
    [
      dial("Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames: Host: x.y"),
      "Hostname/IP does not match certificate's altnames: Host: x.y",
    ],
    ['etcdserver: permission denied', 'permission denied'],
  ]
  for (const [details, want] of cases)
    test(want, () => assert.equal(reasonOf(failure(status.UNAVAILABLE, details)), want))
})

describe('a failure is told', () => {
  const cases: readonly (readonly [string, Error, string])[] = [
    [
      'a write without an answer: that nobody knows',
      failure(status.DEADLINE_EXCEEDED, 'Deadline exceeded after 5.000s,remote_addr=a:2379'),
      'etcd http://a:2379 did not answer within 5 s; whether it was done is not known\n  do: look with: grpc-etcd list payments/ledger; it can be done again without harm',
    ],
    [
      'a request that was never sent: no more than that',
      failure(status.DEADLINE_EXCEEDED, 'Deadline exceeded after 5.000s,Waiting for LB pick'),
      'etcd http://a:2379 did not answer within 5 s\n  do: check the network on the way and the health of etcd (etcdctl endpoint health)',
    ],
    [
      'a permission: the command that gives it',
      failure(status.PERMISSION_DENIED, 'etcdserver: permission denied'),
      'etcd user "app" may not read and write payments/ledger/\n  do: etcdctl role grant-permission <role> readwrite --prefix=true payments/ledger/  (its roles: etcdctl user get app)',
    ],
    [
      'a full etcd',
      failure(status.RESOURCE_EXHAUSTED, 'etcdserver: mvcc: database space exceeded'),
      'etcd http://a:2379 refused: mvcc: database space exceeded\n  do: etcd is full: compact, defragment, then etcdctl alarm disarm',
    ],
    [
      'no etcd at all',
      failure(status.UNIMPLEMENTED, 'Received HTTP status code 404'),
      'etcd http://a:2379 refused: Received HTTP status code 404\n  do: what listens there is no etcd: check --etcd-endpoints',
    ],
  ]
  for (const [name, error, want] of cases) test(name, () => assert.equal(explain(error, attempt), want))

  test('unless it is a bug or a setting, which are told elsewhere', () => {
    for (const error of [
      new TypeError('x is undefined'),
      new InvariantError('x'),
      new ConfigError('x', { code: 'config', target: 'x' }),
    ]) {
      assert.equal(explain(error, attempt), undefined)
    }
  })
})
