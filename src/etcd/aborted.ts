/** Giving up what was not sent yet: a definite end, so never a `TimeoutError`. */
import { UnavailableError } from '../errors.ts'

/** Code `aborted`. `target` is who would have been spoken to. */
export function givenUp(target: string, signal: AbortSignal): UnavailableError {
  return new UnavailableError(`${target}: given up before anything was sent`, {
    code: 'aborted',
    target,
    cause: signal.reason,
  })
}

/**
 * What `work` resolves with, unless the signal is aborted first. The work itself goes on: others may wait for it too.
 * @throws UnavailableError `aborted`, by the signal
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal, target: string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const giveUp = () => {
    reject(givenUp(target, signal))
  }
  if (signal.aborted) giveUp()
  else signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([promise, work])
  } finally {
    signal.removeEventListener('abort', giveUp)
  }
}
