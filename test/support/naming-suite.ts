/**
 * Tests of the naming library with real etcd, real grpc-js servers and real channels. Each test brings what it needs and is alone with it;
 * everything is ended after it, the last thing first. The scheme of a resolver is unique, because grpc-js has one registry for the process.
 */
import { test } from 'node:test'
import { experimental } from '@grpc/grpc-js'
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js'
import { startEtcd } from '../../dev/control-plane/etcd.ts'
import type { Etcd, EtcdOptions } from '../../dev/control-plane/etcd.ts'
import { EtcdConnection, EndpointManager, endpointKey, registerEtcdResolver } from '../../src/naming/index.ts'
import type { EtcdSource, ResolverOptions, WatchItem } from '../../src/naming/index.ts'
import { startAnswerer } from './answerer.ts'
import type { Answerer, AnswererOptions } from './answerer.ts'
import { createCaller } from './caller.ts'
import type { Caller } from './caller.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'

const TEST_TIMEOUT_MS = 60_000
let schemes = 0

/** What a channel was told: addresses in their order, or why there are none. */
export type Push = { readonly addrs: readonly string[] } | { readonly error: string }

export interface Resolver {
  readonly scheme: string
  /** Connects nothing before the first call. */
  dial(target: string, options?: ChannelOptions, credentials?: ChannelCredentials): Caller
  /** What a channel would be told, one entry a time. */
  spy(target: string): { readonly pushes: readonly Push[] }
  close(): void
}

/** Of one test. */
export interface Stage {
  etcd(options?: EtcdOptions): Promise<Etcd>
  proxy(etcd: Pick<Etcd, 'port'>): Promise<TcpProxy>
  connection(source: ConstructorParameters<typeof EtcdConnection>[0]): EtcdConnection
  manager(source: EtcdSource, target: string): EndpointManager
  resolver(source: EtcdSource, options?: ResolverOptions): Resolver
  server(options?: AnswererOptions): Promise<Answerer>
  /** The items of `manager.watch()` as they come, and how it ended. */
  follow(manager: EndpointManager): Followed
  cleanUp(action: () => unknown): void
}

export interface Followed {
  readonly items: readonly WatchItem[]
  /** What the items add up to: addresses by key. */
  readonly addrs: ReadonlyMap<string, string>
  /** `undefined` while it goes on. */
  readonly end: Error | 'done' | undefined
}

export function namingTest(name: string, body: (stage: Stage) => Promise<void>): void {
  void test(name, { timeout: TEST_TIMEOUT_MS }, async () => {
    const cleanUps: (() => unknown)[] = []
    try {
      await body(createStage((action) => cleanUps.push(action)))
    } finally {
      for (const cleanUp of cleanUps.reverse()) await cleanUp()
    }
  })
}

function createStage(cleanUp: (action: () => unknown) => void): Stage {
  const owned = <T>(thing: T, end: (thing: T) => unknown): T => {
    cleanUp(() => end(thing))
    return thing
  }
  return {
    cleanUp,
    etcd: async (options) =>
      owned(await startEtcd(options), async (etcd) => {
        // SIGTERM would wait for watches that a test has left open.
        await etcd.kill()
        await etcd.stop()
      }),
    proxy: async ({ port }) => owned(await startTcpProxy(port), (proxy) => proxy.close()),
    server: async (options) => owned(await startAnswerer(options), (server) => server.stop()),
    connection: (source) =>
      owned(new EtcdConnection(source), (connection) => {
        connection.close()
      }),
    manager: (source, target) =>
      owned(new EndpointManager(source, target), (manager) => {
        manager.close()
      }),
    resolver(source, options = {}) {
      const scheme = `etcd${++schemes}`
      const resolver = registerEtcdResolver(source, { scheme, ...options })
      cleanUp(() => {
        resolver.close()
      })
      return {
        scheme,
        close: () => {
          resolver.close()
        },
        dial: (target, channelOptions, credentials) =>
          owned(createCaller(`${scheme}:///${target}`, channelOptions, credentials), (caller) => {
            caller.close()
          }),
        spy: (target) => owned(createSpy(scheme, target), (spy) => spy.close()),
      }
    },
    follow(manager) {
      const aborting = new AbortController()
      cleanUp(() => {
        aborting.abort()
      })
      return follow(manager, aborting.signal)
    },
  }
}

function createSpy(scheme: string, target: string) {
  const pushes: Push[] = []
  const listener: experimental.ResolverListener = (result) => {
    pushes.push(
      result.ok
        ? { addrs: result.value.flatMap(({ addresses }) => addresses.map(experimental.subchannelAddressToString)) }
        : { error: result.error.details },
    )
    return true
  }
  const resolver = experimental.createResolver({ scheme, authority: '', path: target }, listener, {})
  resolver.updateResolution()
  return {
    pushes,
    close: () => {
      resolver.destroy()
    },
  }
}

function follow(manager: EndpointManager, signal: AbortSignal): Followed {
  const items: WatchItem[] = []
  const addrs = new Map<string, string>()
  let end: Followed['end']
  async function run(): Promise<void> {
    for await (const item of manager.watch(signal)) {
      items.push(item)
      for (const update of item.updates) {
        if (update.op === 'add') addrs.set(update.key, update.endpoint.addr)
        else addrs.delete(update.key)
      }
    }
  }
  run().then(
    () => (end = 'done'),
    (error: unknown) => (end = error instanceof Error ? error : new Error(String(error))),
  )
  return {
    items,
    addrs,
    get end() {
      return end
    },
  }
}

/** Adds endpoints in one Txn, under their canonical keys. */
export function publish(manager: EndpointManager, ...addrs: readonly string[]) {
  return manager.update(
    addrs.map((addr) => ({ op: 'add', key: endpointKey(manager.target, addr), endpoint: { addr } })),
  )
}

/** Deletes endpoints in one Txn. */
export function withdraw(manager: EndpointManager, ...addrs: readonly string[]) {
  return manager.update(addrs.map((addr) => ({ op: 'delete', key: endpointKey(manager.target, addr) })))
}

/** Watches that the server has open now. */
export async function watchersOf({ endpoint }: Pick<Etcd, 'endpoint'>): Promise<number> {
  const metrics = await (await fetch(`${endpoint}/metrics`)).text()
  const count = /^etcd_debugging_mvcc_watcher_total (\S+)$/m.exec(metrics)?.[1]
  if (count === undefined) throw new Error('etcd does not tell its watchers')
  return Number(count)
}
