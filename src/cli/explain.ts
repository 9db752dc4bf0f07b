/**
 * From an error of the etcd layer to what a person reads: what happened in one line, and what to do about it in the next. Pure.
 * Texts of gRPC and OpenSSL are cut down to what says something.
 */
import { ForbiddenError, RejectedError, TimeoutError, UnavailableError, describeError } from '../errors.ts'
import type { EtcdSettings } from '../config/etcd.ts'
import { shellWord } from './terminal.ts'

export interface Attempt {
  readonly target: string
  readonly needs: 'read' | 'readwrite'
  readonly settings: EtcdSettings
}

/** @returns `undefined` for what is no failure of etcd or of the way there: a bug, or a setting */
export function explain(error: unknown, attempt: Attempt): string | undefined {
  const [what, remedy] = partsOf(error, attempt) ?? []
  if (what === undefined) return undefined
  return remedy === undefined ? what : `${what}\n  do: ${remedy}`
}

type Parts = readonly [what: string, remedy?: string]

function partsOf(error: unknown, attempt: Attempt): Parts | undefined {
  if (error instanceof ForbiddenError) return forbidden(error, attempt)
  if (error instanceof UnavailableError) return unavailable(error, attempt)
  if (error instanceof TimeoutError) return timedOut(error, attempt)
  if (error instanceof RejectedError) return rejected(error)
  return undefined
}

function unavailable(error: UnavailableError, attempt: Attempt): Parts {
  const reason = reasonOf(error)
  if (error.code === 'DEADLINE_EXCEEDED') return [silent(error, attempt), CHECK_HEALTH]
  const what = `can not reach ${error.target}: ${reason}`
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH/.test(reason))
    return [what, 'check that etcd runs there and listens on that port, or name another with --etcd-endpoints']
  if (reason.startsWith('Name resolution failed')) return [what, 'check the host name in --etcd-endpoints']
  if (/before secure TLS connection|wrong version number|packet length/.test(reason))
    return [what, 'it does not seem to speak TLS: write http:// instead of https:// in --etcd-endpoints']
  if (error.target.includes('http://') && /Failed to connect|Protocol error|ECONNRESET|disconnect/i.test(reason))
    return [
      what,
      'something listens there but speaks no plain gRPC: if it is etcd with TLS, write https:// and give --etcd-ca-file',
    ]
  return [what, CHECK_HEALTH]
}

function timedOut(error: TimeoutError, attempt: Attempt): Parts {
  const what = error.code === 'DEADLINE_EXCEEDED' ? silent(error, attempt) : `${error.target}: ${reasonOf(error)}`
  if (attempt.needs === 'read') return [what, CHECK_HEALTH]
  return [
    `${what}; whether it was done is not known`,
    `look with: grpc-etcd list ${shellWord(attempt.target)}; it can be done again without harm`,
  ]
}

const CHECK_HEALTH = 'check the network on the way and the health of etcd (etcdctl endpoint health)'

function silent({ target }: UnavailableError | TimeoutError, { settings }: Attempt): string {
  return `${target} did not answer within ${settings.etcdRequestTimeoutSeconds} s`
}

function rejected(error: RejectedError): Parts {
  const what = `${error.target} refused: ${reasonOf(error)}`
  switch (error.code) {
    case 'lease-not-found':
      return ['there is no such lease: it has expired or was revoked', 'etcdctl lease list shows those that there are']
    case 'no-space':
      return [what, 'etcd is full: compact, defragment, then etcdctl alarm disarm']
    case 'compacted':
      return [`${error.target} was compacted while the list was read`, 'try again']
    case 'UNIMPLEMENTED':
      return [what, 'what listens there is no etcd: check --etcd-endpoints']
    default:
      return [what]
  }
}

function forbidden(error: ForbiddenError, { target, needs, settings }: Attempt): Parts {
  const user = settings.etcdUsername
  switch (error.code) {
    case 'permission-denied': {
      const who = user === undefined ? 'the user of this client certificate' : `etcd user "${user}"`
      const may = needs === 'read' ? 'read' : 'read and write'
      const roles = user === undefined ? '' : `  (its roles: etcdctl user get ${shellWord(user)})`
      return [
        `${who} may not ${may} ${target}/`,
        `etcdctl role grant-permission <role> ${needs} --prefix=true ${shellWord(`${target}/`)}${roles}`,
      ]
    }
    case 'authentication-required':
      return [`${error.target} asks for a user`, 'give --etcd-username and --etcd-password-file']
    case 'authentication-failed':
      return [
        `${error.target} does not know user "${user ?? ''}" with this password`,
        `check --etcd-username and the password in ${settings.etcdPasswordFile ?? '--etcd-password-file'}`,
      ]
    case 'bad-certificate':
      return certificate(error, settings)
    case 'unusable-certificate':
      return [
        `the TLS files can not be used: ${describeError(error.cause)}`,
        'check that --etcd-cert-file and --etcd-key-file are PEM and belong together',
      ]
    default:
      return [`${error.target} refused: ${reasonOf(error)}`]
  }
}

function certificate(error: ForbiddenError, { etcdCaFile }: EtcdSettings): Parts {
  const reason = reasonOf(error)
  const what = `no TLS connection to ${error.target}: ${reason}`
  if (/altnames/.test(reason))
    return [what, 'use a host that the certificate names, or give one of its names as --etcd-server-name']
  if (/alert/.test(reason))
    return [what, 'etcd wants a client certificate that it trusts: check --etcd-cert-file and --etcd-key-file']
  if (/expired|not yet valid/.test(reason))
    return [what, 'the certificate of etcd has to be renewed, or the clock here set']
  if (etcdCaFile !== undefined) return [what, `check that the CA in ${etcdCaFile} signed the certificate of etcd`]
  return [what, 'give the CA that signed the certificate of etcd as --etcd-ca-file']
}

/** What the layers below wrapped round the reason: our target, grpc-js' frame, the date of a failed dial, OpenSSL's source lines. */
export function reasonOf(error: unknown): string {
  const text = describeError(error)
    .replace(/^etcd https?:\/\/\S+: /, '')
    .replace(/^No connection established\. Last error: (?:Error(?: \[\w+\])?: )?/, '')
    .replace(/ Resolution note: *$/, '')
    .replace(/\s*\(\d{4}-\d\d-\d\dT[^)]*\)\.?$/, '')
    .replace(/^[0-9A-F]+:error:[0-9A-F]+:SSL routines:\w+:([^:]*):.*$/s, '$1')
    .replace(/; if the root CA is installed locally.*$/s, '')
    .replace(/^etcdserver: /, '')
    .replace(/\.$/, '')
  return text.trim()
}
