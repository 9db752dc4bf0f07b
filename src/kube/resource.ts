/**
 * What a kind is to the reflector: where the API server serves it, and how a whole object becomes the slim record we keep.
 * Owns the check that turns bytes of the API server into a `KubeObject`; nothing behind it looks at an unchecked object.
 */

/** `metadata` of any object, checked. Fields that nobody here reads are left out. */
export interface ObjectMeta {
  readonly name: string
  /** Absent: the object is cluster-scoped. */
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly generation?: number
  /** RFC 3339. */
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
}

/** An object as the API server sent it: `metadata` is checked, everything else is the reader's to check. */
export interface KubeObject {
  readonly metadata: ObjectMeta
  readonly [field: string]: unknown
}

/** The least a record keeps, so that a store can tell "the same", "changed" and "another object of that name" apart. */
export interface StoredObject {
  /** `namespace/name`, or `name` of a cluster-scoped object. */
  readonly key: string
  readonly uid: string
  readonly resourceVersion: string
}

/** A kind by its place in the API. */
export interface ResourceKind {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  /** As in the URL: `pods`. */
  readonly plural: string
  /** As in manifests: `Pod`. */
  readonly kind: string
}

export interface Resource<T extends StoredObject> extends ResourceKind {
  /** Total: never throws, whatever the object holds beside its metadata. Takes a dozen fields, never keeps the object. */
  shape(object: KubeObject): T
}

/** `pods`, `grpcservices.grpcetcd.dev`: for logs and metrics. */
export function resourceName(resource: ResourceKind): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
}

export function apiVersion(resource: ResourceKind): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** The path of the collection; without a namespace that of the whole cluster. */
export function collectionPath(resource: ResourceKind, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  return `${root}${scope}/${resource.plural}`
}

/** The path of one object, by its store key. */
export function objectPath(resource: ResourceKind, key: string): string {
  const { namespace, name } = splitKey(key)
  return `${collectionPath(resource, namespace)}/${encodeURIComponent(name)}`
}

export function objectKey(metadata: ObjectMeta): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`
}

export function splitKey(key: string): { readonly namespace: string | undefined; readonly name: string } {
  const slash = key.indexOf('/')
  return slash === -1
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** Whether it has the metadata that every stored object has; if not, the answer it came in can not be trusted. */
export function isKubeObject(value: unknown): value is KubeObject {
  return isRecord(value) && isObjectMeta(value['metadata'])
}

function isObjectMeta(value: unknown): value is ObjectMeta {
  return (
    isRecord(value) &&
    isFilled(value['name']) &&
    isFilled(value['uid']) &&
    isFilled(value['resourceVersion']) &&
    (value['namespace'] === undefined || isFilled(value['namespace'])) &&
    isStringMap(value['labels']) &&
    isStringMap(value['annotations']) &&
    (value['generation'] === undefined || typeof value['generation'] === 'number') &&
    isOptionalString(value['creationTimestamp']) &&
    isOptionalString(value['deletionTimestamp'])
  )
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isOptionalString(value: unknown): boolean {
  return value === undefined || typeof value === 'string'
}

function isStringMap(value: unknown): boolean {
  return value === undefined || (isRecord(value) && Object.values(value).every((item) => typeof item === 'string'))
}

/** A JSON object (not an array). */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
