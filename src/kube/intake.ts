/**
 * How objects get from the API server into the store: through the kind's `shape`, one by one while watching, or gathered into a
 * set that takes the store over only when it is whole (S4). A shape that throws is our bug and stays that object's own (S14).
 */
import type { Logger } from 'pino'
import { objectKey, type KubeObject, type Resource, type StoredObject } from './resource.ts'
import type { Store } from './store.ts'

export interface Intake {
  /** Starts a new set; what was gathered before is forgotten, what the store has stays. */
  begin(): void
  /** This object is in the set. */
  gather(object: KubeObject): void
  /** This object is not in the set after all. */
  omit(object: KubeObject): void
  /** The set is whole, as of this version. */
  complete(resourceVersion: string): void
  /** While watching: this object is now so. No timer, no await, all the way to the listeners. */
  put(object: KubeObject): void
  /** While watching: this object is gone, its last version being the deletion's. */
  remove(object: KubeObject): void
}

export function createIntake<T extends StoredObject>(resource: Resource<T>, store: Store<T>, log: Logger): Intake {
  let gathered = new Map<string, T>()

  /** `undefined`: can not be read. */
  function shaped(object: KubeObject): T | undefined {
    try {
      return resource.shape(object)
    } catch (error) {
      log.error({ err: error, object: objectKey(object.metadata) }, 'object can not be read; keeping its last record')
      return undefined
    }
  }

  return {
    begin() {
      gathered = new Map()
    },
    gather(object) {
      const record = shaped(object) ?? store.get(objectKey(object.metadata))
      // The last record of another object of that name is no record of this one.
      if (record?.uid === object.metadata.uid) gathered.set(record.key, record)
    },
    omit(object) {
      gathered.delete(objectKey(object.metadata))
    },
    complete(resourceVersion) {
      const message = store.ready ? 'synced again' : 'synced'
      store.replace(gathered, resourceVersion)
      gathered = new Map()
      log.info({ objects: store.size, resourceVersion }, message)
    },
    put(object) {
      const record = shaped(object)
      if (record === undefined) store.advance(object.metadata.resourceVersion)
      else store.apply(record)
    },
    remove(object) {
      store.remove(objectKey(object.metadata), object.metadata.resourceVersion)
    },
  }
}
