/** Waiting, without an exception for the usual end of it. */
import { setTimeout as delay } from 'node:timers/promises'

/** Resolves after `ms`, or as soon as the signal is aborted: what waits has to look at the signal anyway. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
