/** `register`: a server announces itself. Looks at what it was given before anything is sent; `registration.ts` does the rest. */
import { InvalidArgumentError } from '../errors.ts'
import { parseAddress } from './address.ts'
import { parseDialAddress } from './dial-address.ts'
import { connect } from './connection.ts'
import type { EtcdSource } from './connection.ts'
import { encodeEndpoint } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import { endpointKey } from './key.ts'
import { Registration } from './registration.ts'

/** How an endpoint is registered. */
export interface RegisterOptions {
  /** The endpoint disappears so long after this process died or lost etcd, in seconds; 30 by default. etcd raises short ones to 2. */
  readonly ttlSeconds?: number | undefined
  /**
   * Deregister on SIGTERM; false by default. Without another listener for SIGTERM the process then ends by it, as it would have. With
   * one, which stops the server, call `close()` there instead and let clients move on before the server stops.
   */
  readonly deregisterOnSigterm?: boolean | undefined
}

/**
 * Puts the endpoint at `endpointKey(target, endpoint.addr)` and keeps it there: while etcd is away it goes on trying, and after the lease was
 * lost it registers again. Whoever registers an address last has its key; a registration that comes back waits until the other is gone. What
 * somebody deletes by hand stays away until the lease is lost.
 *
 * @param signal gives up waiting for the first registration
 * @returns when the endpoint is in etcd for the first time
 * @throws ForbiddenError, RejectedError, InvalidArgumentError, UnsupportedValueError: trying again would not help
 * @throws UnavailableError code `aborted`, by the signal; `closed`, when the connection is closed
 */
export async function register(
  etcd: EtcdSource,
  target: string,
  endpoint: Endpoint,
  options: RegisterOptions = {},
  signal?: AbortSignal,
): Promise<Registration> {
  const { ttlSeconds = 30, deregisterOnSigterm = false } = options
  if (typeof target !== 'string' || target === '') throw new InvalidArgumentError('invalid target', 'etcd')
  if (target.endsWith('/') || /^[a-z][a-z0-9+.-]*:\//i.test(target)) {
    const message = `the target ${JSON.stringify(target)} must be as in payments/ledger: no scheme, no slash at its end`
    throw new InvalidArgumentError(message, 'etcd')
  }
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1) {
    throw new InvalidArgumentError(`ttlSeconds must be a whole number, 1 or more, got ${ttlSeconds}`, 'etcd')
  }
  checkAddress(endpoint?.addr)
  // What is put again after an outage is what was given now.
  const value = encodeEndpoint(endpoint)
  const { connection, release } = connect(etcd)
  const key = endpointKey(target, endpoint.addr)
  const registration = new Registration({ connection, release, key, value, ttlSeconds })
  if (deregisterOnSigterm) registration.closeAtSigterm()
  await registration.firstTime(signal)
  return registration
}

function checkAddress(addr: unknown): void {
  const refuse = (why: string) =>
    new InvalidArgumentError(`the address ${JSON.stringify(addr)} can not be registered: ${why}`, 'etcd')
  if (typeof addr !== 'string' || parseDialAddress(addr) === undefined) throw refuse('it must be host:port')
  const address = parseAddress(addr)
  if (address.ok && address.scope === 'unspecified') throw refuse('no client can dial it; give one of this machine')
}
