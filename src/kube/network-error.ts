/** What goes wrong below HTTP, as our errors: was the request sent (outcome unknown), or surely not; does waiting help. */
import { ForbiddenError, TimeoutError, UnavailableError, describeError } from '../errors.ts'
import { describeTarget, type RequestTarget } from './status-error.ts'

/** Failures of the connection itself: the request was never sent. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_DESTROYED',
  'UND_ERR_CLOSED',
])
const SILENCE = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])
/** OpenSSL's verdicts on the server's certificate, as Node names them. */
const BAD_CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_GET_ISSUER|UNABLE_TO_VERIFY|ERR_TLS_CERT|ERR_OSSL/

export function networkError(target: RequestTarget, error: unknown): Error {
  const code = codeOf(error)
  const where = describeTarget(target)
  const details = { code, target: where, cause: error }
  const message = `${where}: ${describeError(error) || code}`
  if (SILENCE.has(code)) return new TimeoutError(message, { ...details, code: 'silent' })
  if (BAD_CERTIFICATE.test(code)) {
    return new ForbiddenError(
      `${message}; check the kubeconfig's certificate-authority and the server's certificate`,
      details,
    )
  }
  return target.method === 'GET' || NOT_SENT.has(code)
    ? new UnavailableError(message, details)
    : new TimeoutError(message, details)
}

/** The credentials themselves could not be read or made (token file, exec plugin): nothing was sent. */
export function credentialsError(server: string, error: unknown): Error {
  // An exec plugin's output that is no JSON would be quoted by the parser's message, and may hold a token.
  const quotable = !(error instanceof SyntaxError)
  const reason = quotable ? `: ${describeError(error).trim()}` : ': the exec plugin did not print an ExecCredential'
  return new UnavailableError(`kubernetes ${server}: no credentials${reason}`, {
    code: 'credentials',
    target: `kubernetes ${server}`,
    ...(quotable ? { cause: error } : {}),
  })
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'network'
}
