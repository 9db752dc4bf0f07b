/** The kinds that the contract suite runs over: a built-in one (typed storage, protobuf in etcd) and one of a CRD (unstructured). */
import { objectKey, type KubeObject, type Resource } from '../../../src/kube/resource.ts'

export interface TestRecord {
  readonly key: string
  readonly uid: string
  readonly resourceVersion: string
  readonly color: string
}

/** `spec` is what makes an object of the kind valid. */
export interface TestKind {
  readonly resource: Resource<TestRecord>
  readonly spec: unknown
}

export const PODS: TestKind = {
  resource: { group: '', version: 'v1', plural: 'pods', kind: 'Pod', shape },
  spec: { containers: [{ name: 'main', image: 'none' }] },
}

export const WIDGETS: TestKind = {
  resource: { group: 'contract.test', version: 'v1', plural: 'widgets', kind: 'Widget', shape },
  spec: { size: 1 },
}

/** Not installed until a test does it. */
export const GADGETS: TestKind = {
  resource: { group: 'contract.test', version: 'v1', plural: 'gadgets', kind: 'Gadget', shape },
  spec: { size: 1 },
}

export function customResourceDefinition({ resource }: TestKind): unknown {
  const { group, version, plural, kind } = resource
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec: open, status: open } } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind },
      versions: [{ name: version, served: true, storage: true, schema, subresources: { status: {} } }],
    },
  }
}

function shape(object: KubeObject): TestRecord {
  const { uid, resourceVersion, labels } = object.metadata
  const color = labels?.['color'] ?? ''
  if (color === 'unreadable') throw new Error('a bug in shape')
  return { key: objectKey(object.metadata), uid, resourceVersion, color }
}
