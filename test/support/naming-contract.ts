/** What tests of the naming library on `describeEtcd` share: managers that are closed after the test, and a log that can be read. */
import { EndpointManager } from '../../src/naming/index.ts'
import type { EtcdOptions, EtcdSource, Log, Update } from '../../src/naming/index.ts'
import type { EtcdSuite } from './etcd-suite.ts'

/** A target that no other test uses. */
export function newTarget(suite: EtcdSuite, name = 'foo'): string {
  return `${suite.prefix()}${name}`
}

export function newManager(
  suite: EtcdSuite,
  target = newTarget(suite),
  etcd: EtcdSource = optionsOf(suite),
): EndpointManager {
  const manager = new EndpointManager(etcd, target)
  suite.cleanUp(() => {
    manager.close()
  })
  return manager
}

export function optionsOf(suite: EtcdSuite, options: Partial<EtcdOptions> = {}): EtcdOptions {
  return { hosts: suite.etcd.endpoint, ...options }
}

/** `count` adds of different endpoints under the target, in key order. */
export function manyAdds(target: string, count: number): readonly Update[] {
  return Array.from({ length: count }, (_, n) => {
    const addr = `10.0.0.7:${10_000 + n}`
    return { op: 'add', key: `${target}/${addr}`, endpoint: { addr } }
  })
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: object
  readonly message: string
}

export function recordedLog(): { readonly log: Log; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = []
  const under = (outer: object): Log => {
    const write = (level: LogLine['level']) => (fields: object, message: string) => {
      lines.push({ level, fields: { ...outer, ...fields }, message })
    }
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      child: (fields) => under({ ...outer, ...fields }),
    }
  }
  return { log: under({}), lines }
}
