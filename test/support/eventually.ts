import { setTimeout as delay } from 'node:timers/promises'

/** Waits for a state with a deadline: resolves with the first answer that is neither `undefined` nor `false`. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 10_000,
): Promise<T> {
  const endMs = performance.now() + deadlineMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await delay(10)
  }
}
