/** A renewal thread as the operator starts it: the program itself, once more. */
import { loadConfig } from '../../src/config.ts'
import type { Config } from '../../src/config.ts'
import { createRenewalThread } from '../../src/etcd/renewal-thread.ts'
import type { RenewalThread, RenewalThreadOptions } from '../../src/etcd/renewal-thread.ts'
import type { EtcdSuite } from './etcd-suite.ts'

export const PROGRAM = new URL('../../src/main.ts', import.meta.url)

/** Closed after the test. It writes no log: standard output is the test runner's. */
export function startRenewalThread(
  suite: Pick<EtcdSuite, 'cleanUp'>,
  config: Partial<Config>,
  given: Partial<RenewalThreadOptions> = {},
): RenewalThread {
  const thread = createRenewalThread({
    entry: PROGRAM,
    settings: { ...loadConfig([], {}), logLevel: 'silent', ...config },
    onLost() {},
    onFailed(error) {
      throw error
    },
    ...given,
  })
  suite.cleanUp(() => thread.close())
  return thread
}

/** The main thread of this process, for so long: no timer, no message, no network. */
export function blockMainThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
