/**
 * status: from what a reconcile concluded to `.status`, kstatus-shaped. Pure. Keeps: S13 (Ready is True only with the revision at
 * which etcd held the state), S12 (a condition that did not change keeps its lastTransitionTime, so the status does not either).
 */
import type { Condition, ConditionReason, ConditionType } from '../crds/condition.ts'
import type { GrpcEndpointStatus } from '../crds/grpc-endpoint.ts'
import type { GrpcServiceStatus } from '../crds/grpc-service.ts'
import type { Revision } from '../etcd/kv.ts'

/** One thing that is not as it should be, and the condition that says so. */
export interface Failure {
  readonly condition: 'Accepted' | 'ResolvedRefs' | 'Programmed'
  readonly reason: ConditionReason
  readonly message: string
  /** A human must act; retrying does not help. */
  readonly stalled: boolean
}

/** Revisions at which etcd held the same endpoints: from the last change to one that is left, to the last that was seen. */
export interface Span {
  readonly since: Revision
  readonly until: Revision
}

/** What one reconcile of a GrpcService concluded. */
export interface ServiceVerdict {
  readonly generation: number
  /** What clients dial, e.g. `payments/ledger`; `null` while the spec does not say. */
  readonly target: string | null
  readonly desired: number
  readonly registered: number
  /** When etcd held what is registered; `null` when nothing ever was. */
  readonly revision: Span | null
  readonly failures: readonly Failure[]
}

export interface EndpointVerdict {
  readonly generation: number
  readonly key: string | null
  readonly drained: boolean
  readonly failures: readonly Failure[]
}

const SUCCESS = {
  Accepted: 'the spec is valid',
  ResolvedRefs: 'everything the spec refers to exists',
  Programmed: 'etcd holds the desired state',
} as const

/** @param previous `.status` as it stands: conditions that keep their status keep their lastTransitionTime */
export function serviceStatus(verdict: ServiceVerdict, previous: unknown, now: Date): GrpcServiceStatus {
  const revision = revisionOf(verdict, previous)
  const ready =
    verdict.desired === 0
      ? { reason: 'NoEndpoints' as const, message: 'the sources give no endpoint: clients find an empty list' }
      : {
          reason: 'Ready' as const,
          message: `${verdict.registered} endpoint${verdict.registered === 1 ? '' : 's'} at etcd revision ${revision ?? 0}`,
        }
  return {
    observedGeneration: verdict.generation,
    conditions: conditions(verdict, ready, previous, now),
    ...(verdict.target === null ? {} : { target: verdict.target }),
    endpoints: { desired: verdict.desired, registered: verdict.registered },
    ...(revision === null ? {} : { revision: String(revision) }),
  }
}

/**
 * The revision that was told before stays while it is still true (S12): nothing that is left changed after it, and as many were there.
 * Else the last one seen: that of a removal is on none of the keys that are left.
 */
function revisionOf({ revision, registered }: ServiceVerdict, previous: unknown): Revision | null {
  if (revision === null) return null
  const told = Number(field(previous, 'revision'))
  const asMany = field(field(previous, 'endpoints'), 'registered') === registered
  return asMany && told >= revision.since && told <= revision.until ? told : revision.until
}

export function endpointStatus(verdict: EndpointVerdict, previous: unknown, now: Date): GrpcEndpointStatus {
  const ready = verdict.drained
    ? { reason: 'Drained' as const, message: 'not published: spec.state is Drained' }
    : { reason: 'Ready' as const, message: `published as ${verdict.key ?? ''}` }
  return {
    observedGeneration: verdict.generation,
    conditions: conditions(verdict, ready, previous, now),
    ...(verdict.key === null ? {} : { key: verdict.key }),
  }
}

function conditions(
  verdict: Pick<ServiceVerdict, 'generation' | 'failures'>,
  ready: { readonly reason: ConditionReason; readonly message: string },
  previous: unknown,
  now: Date,
): Condition[] {
  const before = previousTransitions(previous)
  const found: Condition[] = []
  const add = (type: ConditionType, status: 'True' | 'False', reason: ConditionReason, message: string): void => {
    const lastTransitionTime = before.get(`${type} ${status}`) ?? now.toISOString().replace(/\.\d+Z$/, 'Z')
    const observedGeneration = verdict.generation
    found.push({ type, status, reason, message: message.slice(0, 4096), observedGeneration, lastTransitionTime })
  }
  for (const type of ['Accepted', 'ResolvedRefs', 'Programmed'] as const) {
    const failure = verdict.failures.find(({ condition }) => condition === type)
    if (failure === undefined) add(type, 'True', type, SUCCESS[type])
    else add(type, 'False', failure.reason, failure.message)
  }
  const [first] = verdict.failures
  if (first === undefined) add('Ready', 'True', ready.reason, ready.message)
  else {
    add('Ready', 'False', first.reason, first.message)
    add(first.stalled ? 'Stalled' : 'Reconciling', 'True', first.reason, first.message)
  }
  return found
}

/** lastTransitionTime by `type status`; whatever is not of that shape counts as absent. */
function previousTransitions(status: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const list: unknown = field(status, 'conditions')
  for (const condition of Array.isArray(list) ? (list as readonly unknown[]) : []) {
    const time = field(condition, 'lastTransitionTime')
    if (typeof time === 'string')
      found.set(`${String(field(condition, 'type'))} ${String(field(condition, 'status'))}`, time)
  }
  return found
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined
}

/**
 * True where two statuses differ at most in counts, revision and messages: nothing that `kubectl wait`, Helm, Flux or Argo CD look at.
 */
export function sameConclusion(a: unknown, b: unknown): boolean {
  return sameJson(conclusion(a), conclusion(b))
}

function conclusion(status: unknown): unknown {
  const list: unknown = field(status, 'conditions')
  const facts = (Array.isArray(list) ? (list as readonly unknown[]) : []).map((condition) =>
    ['type', 'status', 'reason', 'observedGeneration'].map((name) => field(condition, name) ?? null),
  )
  return [field(status, 'observedGeneration') ?? null, facts]
}

/** Deep equality of two JSON values, the order of object fields aside: is this status already there? */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]))
  }
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(field(a, key), field(b, key)))
  )
}
