/**
 * Targets: a mirror for every target that a GrpcService asks for or a Record names, and the index that finds who else has a key for
 * an address (S10). Opening and closing follow the objects; nothing else decides which ranges of etcd are watched.
 */
import { ForbiddenError } from '../errors.ts'
import type { Revision } from '../etcd/kv.ts'
import type { Mirror } from '../etcd/mirror.ts'
import { addressOf, targetRange } from '../naming/key.ts'

export interface TargetsOptions {
  /** Opens a mirror of one range; `onChange` is told the keys that are new, changed or gone, but for our own commits: `noteOwn`. */
  readonly openMirror: (
    range: { readonly key: string; readonly rangeEnd: string },
    onChange: (keys: readonly string[]) => void,
  ) => Mirror
  /** True while somebody needs the target. */
  readonly needed: (target: string) => boolean
  /** The target's mirror became complete, or somebody changed a key under it. */
  readonly onChange: (target: string) => void
}

export class Targets {
  readonly #options: TargetsOptions
  readonly #mirrors = new Map<string, Mirror>()
  readonly #holders = new Map<string, Set<string>>()

  constructor(options: TargetsOptions) {
    this.#options = options
  }

  /** The target's mirror, `undefined` when nobody needs it. It may not be complete yet: see `Mirror.ready`. */
  get(target: string): Mirror | undefined {
    return this.#mirrors.get(target)
  }

  /**
   * Mirrors that are still being read. One that etcd forbids does not count: it is the trouble of its service alone (S14), and nobody
   * could ever lead again if it did.
   */
  get incomplete(): number {
    const reading = (mirror: Mirror): boolean => !mirror.ready && !(mirror.problem instanceof ForbiddenError)
    return [...this.#mirrors.values()].filter(reading).length
  }

  /** Whether every mirror shows all that was committed up to this revision; one that etcd forbids does not count. */
  areAt(revision: Revision): boolean {
    const isAt = ({ ready, delivered, problem }: Mirror): boolean =>
      problem instanceof ForbiddenError || (ready && delivered >= revision)
    return [...this.#mirrors.values()].every(isAt)
  }

  /** Opens or closes the target's mirror, as it is needed now. */
  settle(target: string): void {
    const mirror = this.#mirrors.get(target)
    const needed = this.#options.needed(target)
    if (needed && mirror === undefined) {
      const opened = this.#options.openMirror(targetRange(target), (keys) => this.#changed(target, keys))
      this.#mirrors.set(target, opened)
    } else if (!needed && mirror !== undefined) {
      this.#mirrors.delete(target)
      for (const key of mirror.entries.keys()) this.#unhold(target, key)
      mirror.close()
    }
  }

  /** Our own commit, at once: the watch will only repeat it. */
  noteOwn(target: string, keys: Iterable<string>): void {
    for (const key of keys) this.#index(target, key)
  }

  /** The targets that have a key for this address. */
  holders(address: string): Iterable<string> {
    return this.#holders.get(address) ?? []
  }

  #changed(target: string, keys: readonly string[]): void {
    for (const key of keys) this.#index(target, key)
    this.#options.onChange(target)
  }

  #index(target: string, key: string): void {
    if (this.#mirrors.get(target)?.entries.has(key) !== true) return this.#unhold(target, key)
    const address = addressOf(target, key)
    const targets = this.#holders.get(address)
    if (targets === undefined) this.#holders.set(address, new Set([target]))
    else targets.add(target)
  }

  #unhold(target: string, key: string): void {
    const address = addressOf(target, key)
    const targets = this.#holders.get(address)
    targets?.delete(target)
    if (targets?.size === 0) this.#holders.delete(address)
  }
}
