/**
 * What the contract tests of `kube/` share: one API server with the fault proxy before it; a `World` that changes it, one namespace
 * a test; and a `Subject`, a reflector with its store under observation. `settled` compares the store with what the API server says
 * and reports everything that should never have been seen on the way: a deletion that was none, an empty store that should not be.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { startApiServer, type ApiServer } from '../../../dev/control-plane/api-server.ts'
import { createKubeClient, type KubeClient } from '../../../src/kube/client.ts'
import { createReflector, type Reflector, type ReflectorState } from '../../../src/kube/reflector.ts'
import { collectionPath, isKubeObject, objectKey, objectPath } from '../../../src/kube/resource.ts'
import { Store, type Change } from '../../../src/kube/store.ts'
import { parseListPage } from '../../../src/kube/watch-event.ts'
import { startHttpFaultProxy, type HttpFaultProxy, type SeenRequest } from '../../support/http-fault-proxy.ts'
import { WIDGETS, customResourceDefinition, type TestKind, type TestRecord } from './kinds.ts'

export const never = new AbortController().signal

export interface Fixture {
  readonly api: ApiServer
  readonly proxy: HttpFaultProxy
  /** Past the proxy. */
  readonly admin: KubeClient
  stop(): Promise<void>
}

export async function startFixture(): Promise<Fixture> {
  const api = await startApiServer()
  const proxy = await startHttpFaultProxy(api)
  const admin = createKubeClient({ kubeconfig: api.kubeconfig })
  await installCrd(admin, WIDGETS)
  return {
    api,
    proxy,
    admin,
    async stop() {
      await admin.close()
      await proxy.stop()
      await api.stop()
    },
  }
}

/** Resolves when the kind is served. */
export async function installCrd(admin: KubeClient, kind: TestKind): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  await admin.request({ method: 'POST', path, body: customResourceDefinition(kind) }, never)
  await until(`${kind.resource.plural} are served`, async () => {
    try {
      await admin.request({ path: collectionPath(kind.resource) }, never)
      return true
    } catch {
      return false
    }
  })
}

/** Polls; fails after the deadline with what it waited for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs = 15_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await condition())) {
    if (performance.now() > endMs) assert.fail(`not within ${deadlineMs} ms: ${what}`)
    await sleep(10)
  }
}

let namespaces = 0

/** A namespace of one kind's objects, and what the test did to them. */
export class World {
  readonly kind: TestKind
  readonly namespace: string
  readonly #admin: KubeClient
  /** name → uid */
  readonly live = new Map<string, string>()
  readonly deleted = new Set<string>()

  private constructor(admin: KubeClient, kind: TestKind) {
    this.#admin = admin
    this.kind = kind
    this.namespace = `contract-${(namespaces += 1)}`
  }

  static async create(admin: KubeClient, kind: TestKind, names: readonly string[] = []): Promise<World> {
    const world = new World(admin, kind)
    const body = { metadata: { name: world.namespace } }
    await admin.request({ method: 'POST', path: '/api/v1/namespaces', body }, never)
    for (const name of names) await world.add(name)
    return world
  }

  key(name: string): string {
    return `${this.namespace}/${name}`
  }

  async add(name: string, color = ''): Promise<void> {
    const path = collectionPath(this.kind.resource, this.namespace)
    const { group, version, kind } = this.kind.resource
    const type = { apiVersion: group === '' ? version : `${group}/${version}`, kind }
    const object = await this.#admin.request(
      { method: 'POST', path, body: { ...type, metadata: { name, labels: { color } }, spec: this.kind.spec } },
      never,
    )
    assert(isKubeObject(object))
    this.live.set(name, object.metadata.uid)
  }

  async paint(name: string, color: string): Promise<void> {
    const path = objectPath(this.kind.resource, this.key(name))
    const contentType = 'application/merge-patch+json'
    await this.#admin.request({ method: 'PATCH', path, contentType, body: { metadata: { labels: { color } } } }, never)
  }

  async remove(name: string): Promise<void> {
    const uid = this.live.get(name)
    assert(uid !== undefined)
    this.live.delete(name)
    this.deleted.add(uid)
    const path = objectPath(this.kind.resource, this.key(name))
    await this.#admin.request({ method: 'DELETE', path, query: { gracePeriodSeconds: 0 } }, never)
  }

  /** Key → `uid@resourceVersion`, from the quorum. */
  async truth(): Promise<ReadonlyMap<string, string>> {
    const list = parseListPage(
      await this.#admin.request({ path: collectionPath(this.kind.resource, this.namespace) }, never),
    )
    assert(list !== undefined && list.continueToken === undefined)
    return new Map(
      list.items.map(({ metadata }) => [objectKey(metadata), `${metadata.uid}@${metadata.resourceVersion}`]),
    )
  }

  /** Requests for this namespace's collection. */
  readonly any = (request: SeenRequest): boolean => request.path === collectionPath(this.kind.resource, this.namespace)
  readonly lists = (request: SeenRequest): boolean => this.any(request) && !request.query.has('watch')
  readonly watchLists = (request: SeenRequest): boolean => this.any(request) && request.query.has('sendInitialEvents')
  readonly watches = (request: SeenRequest): boolean =>
    this.any(request) && request.query.has('watch') && !request.query.has('sendInitialEvents')
}

/** A reflector at work, and everything that its store told. */
export class Subject {
  readonly store = new Store<TestRecord>({ color: (record) => [record.color] })
  readonly states: ReflectorState[] = []
  readonly changes: Change<TestRecord>[] = []
  readonly #violations: string[] = []
  readonly #world: World
  readonly #client: KubeClient
  readonly #reflector: Reflector
  readonly #ended = new AbortController()
  readonly #run: Promise<void>

  constructor(proxy: HttpFaultProxy, world: World, silenceMs?: number) {
    this.#world = world
    this.#client = createKubeClient({ kubeconfig: proxy.kubeconfig })
    const expected = [...world.live.keys()]
    let wasReady = false
    this.store.subscribe((change) => {
      this.changes.push(change)
      if (!wasReady) {
        wasReady = true
        const missing = expected.filter((name) => world.live.has(name) && this.store.get(world.key(name)) === undefined)
        if (missing.length > 0) this.#violations.push(`ready without ${missing.join(', ')}`)
      }
      const gone = change.after === undefined ? change.before : undefined
      if (gone !== undefined && !world.deleted.has(gone.uid))
        this.#violations.push(`${gone.key} delivered as deleted, but it was not`)
      if (this.store.size === 0 && world.live.size > 0) this.#violations.push('empty, but objects exist')
    })
    this.#reflector = createReflector({
      client: this.#client,
      resource: world.kind.resource,
      namespace: world.namespace,
      store: this.store,
      log: pino({ level: 'silent' }),
      onState: (state) => {
        this.states.push(state)
        if (this.store.ready && this.store.size === 0 && world.live.size > 0)
          this.#violations.push(`empty when ${state.kind}`)
      },
      ...(silenceMs === undefined ? {} : { silenceMs }),
    })
    this.#run = this.#reflector.run(this.#ended.signal)
  }

  get state(): ReflectorState {
    return this.#reflector.state
  }

  /** The reasons why it waited, in order. */
  get reasons(): readonly string[] {
    return this.states.flatMap((state) => (state.kind === 'waiting' ? [state.reason] : []))
  }

  async ready(): Promise<void> {
    await until('the store is ready', () => this.store.ready)
  }

  /** The store is what the API server says, and nothing untrue was told on the way. */
  async settled(deadlineMs?: number): Promise<void> {
    let last = ''
    await until(
      'the store equals the truth',
      async () => {
        if (!this.store.ready) return false
        const truth = await this.#world.truth()
        const stored = new Map(
          [...this.store.values()].map((record) => [record.key, `${record.uid}@${record.resourceVersion}`]),
        )
        last = `${stored.size} of ${truth.size}`
        return stored.size === truth.size && [...truth].every(([key, version]) => stored.get(key) === version)
      },
      deadlineMs,
    ).catch((error: unknown) => {
      throw new Error(`${last}; state ${JSON.stringify(this.state)}; ${this.reasons.join()}`, { cause: error })
    })
    assert.deepEqual(this.#violations, [])
    assert.deepEqual(
      [...this.store.byIndex('color', 'red')].length,
      [...this.store.values()].filter((r) => r.color === 'red').length,
    )
  }

  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#run
    await this.#client.close()
    assert.equal(this.state.kind, 'stopped')
  }
}
