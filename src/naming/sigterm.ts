/**
 * Leaving etcd at SIGTERM: one listener for all that asked, so that the process does not end when the first of them is out.
 */
import { describeError } from '../errors.ts'
import type { Log } from '../runtime/log.ts'

interface Closable {
  readonly key: string
  close(): Promise<void>
}

const waiting = new Map<Closable, Log>()

/**
 * Closes it at SIGTERM. If nobody else listens, the process then ends by the signal, as it would have.
 *
 * @returns what forgets it
 */
export function closeAtSigterm(closable: Closable, log: Log): () => void {
  // In front of all others: one that was added by `once` is off the list when it was called, and would not be counted.
  if (waiting.size === 0) process.prependListener('SIGTERM', onSigterm)
  waiting.set(closable, log)
  return () => {
    waiting.delete(closable)
    if (waiting.size === 0) process.off('SIGTERM', onSigterm)
  }
}

function onSigterm(): void {
  const closing = [...waiting]
  waiting.clear()
  // A second SIGTERM means: at once.
  process.off('SIGTERM', onSigterm)
  void closeAll(closing, process.listenerCount('SIGTERM') === 0)
}

async function closeAll(closing: readonly (readonly [Closable, Log])[], isAlone: boolean): Promise<void> {
  await Promise.all(closing.map(([closable, log]) => close(closable, log)))
  if (isAlone) process.kill(process.pid, 'SIGTERM')
}

/** Nobody is there to catch it. */
async function close(closable: Closable, log: Log): Promise<void> {
  try {
    await closable.close()
  } catch (error) {
    log.warn({ key: closable.key, error: describeError(error) }, 'not deregistered at SIGTERM')
  }
}
