/** A suite against a real etcd of each supported version, with clients that are closed after each test. */
import { after, afterEach, before, describe } from 'node:test'
import pino from 'pino'
import { startEtcd } from '../../dev/control-plane/etcd.ts'
import type { Etcd, EtcdVersion } from '../../dev/control-plane/etcd.ts'
import { createCommitter } from '../../src/etcd/committer.ts'
import type { Child, Committer } from '../../src/etcd/committer.ts'
import { createElection } from '../../src/etcd/election.ts'
import { ensureIdentity } from '../../src/etcd/identity.ts'
import type { Election, Leadership } from '../../src/etcd/election.ts'
import { createEtcdClient } from '../../src/etcd/client.ts'
import type { EtcdClient, EtcdClientOptions } from '../../src/etcd/client.ts'
import type { Compare, LeaseId, Op } from '../../src/etcd/kv.ts'
import { createLeaseKeeper } from '../../src/etcd/lease-keeper.ts'
import type { LeaseKeeper, LeaseKeeperOptions } from '../../src/etcd/lease-keeper.ts'
import { createWatcher } from '../../src/etcd/watch.ts'
import type { Watcher } from '../../src/etcd/watch.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'

export const silent = pino({ level: process.env['TEST_LOG_LEVEL'] ?? 'silent' })

const supportedVersions: readonly EtcdVersion[] = ['3.5', '3.6', '3.7']

export interface EtcdSuite {
  readonly etcd: Etcd
  /** A key prefix that no other test uses, with its slash. */
  prefix(): string
  client(options?: Partial<EtcdClientOptions>): EtcdClient
  watcher(client: EtcdClient): Watcher
  keeper(client: EtcdClient, onLost?: LeaseKeeperOptions['onLost']): LeaseKeeper
  /** A client behind a proxy that can make faults. */
  faulty(options?: Partial<EtcdClientOptions>): Promise<{ readonly proxy: TcpProxy; readonly client: EtcdClient }>
  /** Everything that a replica has to lead with. */
  replica(client: EtcdClient, statePrefix: string): Promise<Replica>
  /** Called after the test, the last one first. */
  cleanUp(action: () => void | Promise<void>): void
}

export interface Replica {
  readonly keeper: LeaseKeeper
  readonly election: Election
  lead(): Promise<{ readonly leadership: Leadership; readonly committer: Committer }>
}

export function describeEtcd(
  name: string,
  body: (suite: EtcdSuite) => void,
  options: {
    readonly extraArgs?: readonly string[]
    readonly setUp?: (etcd: Etcd) => Promise<void>
    /** Default: all. For what does not depend on etcd. */
    readonly versions?: readonly EtcdVersion[]
  } = {},
): void {
  const versions = options.versions ?? supportedVersions
  // The versions side by side: these tests wait far more than they compute.
  void describe(name, { concurrency: versions.length }, () => {
    for (const version of versions) {
      void describe(`etcd ${version}`, { concurrency: 1 }, () => {
        let etcd: Etcd | undefined
        let prefixes = 0
        const cleanUps: (() => void | Promise<void>)[] = []
        before(async () => {
          etcd = await startEtcd({ version, extraArgs: options.extraArgs ?? [] })
          await options.setUp?.(etcd)
        })
        after(async () => {
          await etcd?.stop()
        })
        afterEach(async () => {
          for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
        })

        const suite: EtcdSuite = {
          get etcd() {
            if (etcd === undefined) throw new Error('the server is started by before()')
            return etcd
          },
          prefix: () => `test-${++prefixes}/`,
          cleanUp: (action) => {
            cleanUps.push(action)
          },
          client(given = {}) {
            const client = createEtcdClient({
              endpoints: [suite.etcd.endpoint],
              requestTimeoutMs: 5_000,
              log: silent,
              ...given,
            })
            suite.cleanUp(() => {
              client.close()
            })
            return client
          },
          watcher(client) {
            const watcher = createWatcher({ client, log: silent })
            suite.cleanUp(() => {
              watcher.close()
            })
            return watcher
          },
          keeper(client, onLost) {
            const keeper = createLeaseKeeper({ client, onLost, log: silent })
            suite.cleanUp(() => {
              keeper.close()
            })
            return keeper
          },
          async faulty(given = {}) {
            const proxy = await startTcpProxy(suite.etcd.port)
            suite.cleanUp(() => proxy.close())
            return { proxy, client: suite.client({ endpoints: [`http://127.0.0.1:${proxy.port}`], ...given }) }
          },
          async replica(client, statePrefix) {
            const keeper = suite.keeper(client)
            const watcher = suite.watcher(client)
            const identity = await ensureIdentity(client, statePrefix, 'uid-of-kube-system', soon())
            const election = createElection({
              kv: client,
              keeper,
              watcher,
              statePrefix,
              identity,
              ttlSeconds: 2,
              log: silent,
            })
            return {
              keeper,
              election,
              async lead() {
                const leadership = await election.campaign(soon())
                suite.cleanUp(() => leadership.resign(soon()))
                return { leadership, committer: createCommitter({ kv: client, leadership, log: silent }) }
              },
            }
          },
        }
        body(suite)
      })
    }
  })
}

/** The deadline of one step of a test. */
export function soon(ms = 15_000): AbortSignal {
  return AbortSignal.timeout(ms)
}

export function put(key: string, value = 'v', lease: LeaseId | null = null): Op {
  return { kind: 'put', key, value, lease }
}

export async function putNow(
  client: EtcdClient,
  key: string,
  value = 'v',
  lease: LeaseId | null = null,
): Promise<number> {
  const { header } = await client.txn({ compare: [], success: [put(key, value, lease)], failure: [] }, soon())
  return header.revision
}

export function child(
  name: string,
  success: readonly Op[],
  compare: readonly Compare[] = [],
  failure: readonly Op[] = [],
): Child {
  return { name, txn: { compare, success, failure }, opCount: success.length, byteSize: success.length * 100 }
}

/** IDs of all leases, as we write them. Those of earlier tests expire meanwhile: look at what came or went, never at the whole. */
export async function leasesOf({ etcdctl }: Pick<Etcd, 'etcdctl'>): Promise<ReadonlySet<string>> {
  const lines = (await etcdctl('lease', 'list')).trim().split('\n').slice(1)
  return new Set(lines.map((id) => id.replace(/^0+/, '')))
}
