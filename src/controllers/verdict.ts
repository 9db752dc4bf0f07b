/** verdict: from the conclusion of a reconcile to what the conditions of the GrpcService and its GrpcEndpoints say. Pure. */
import type { ConditionReason } from '../crds/condition.ts'
import type { Problem } from '../crds/problem.ts'
import { describeError, ForbiddenError, RejectedError, TimeoutError, UnavailableError } from '../errors.ts'
import { parseAddress } from '../naming/address.ts'
import { endpointKey } from '../naming/key.ts'
import type { Held } from '../plan/safeguards.ts'
import type { EndpointSource, ServiceKey, ServiceSource } from '../plan/sources.ts'
import type { EndpointVerdict, Failure, ServiceVerdict, Span } from '../plan/status.ts'

/** How a reconcile ended. */
export type Conclusion =
  | { readonly kind: 'absent' }
  /** Something else must happen first, and will bring the key back: nothing to say yet. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'invalid'; readonly problems: readonly Problem[] }
  | { readonly kind: 'conflict'; readonly target: string; readonly rival: ServiceKey }
  | { readonly kind: 'moved'; readonly from: string; readonly to: string }
  | {
      readonly kind: 'published'
      readonly target: string
      readonly desired: number
      readonly registered: number
      readonly revision: Span | null
      readonly problems: readonly Problem[]
      readonly foreign: readonly string[]
      readonly held: readonly Held[]
      /** What is wanted, by key. */
      readonly keys: ReadonlyMap<string, string>
    }

/** With the service as it was when the conclusion was drawn: what is reported speaks of that generation (S13). */
export interface Concluded {
  readonly service: ServiceSource | undefined
  readonly conclusion: Conclusion
}

/** `null`: nothing to report. */
export function verdictOf(service: ServiceSource, conclusion: Conclusion): ServiceVerdict | null {
  const base = { generation: service.generation, target: service.target, desired: 0, registered: 0, revision: null }
  switch (conclusion.kind) {
    case 'absent':
    case 'pending':
      return null
    case 'invalid':
      return { ...base, failures: [accepted('InvalidSpec', messages(conclusion.problems))] }
    case 'conflict':
      return { ...base, failures: [accepted('TargetConflict', conflictText(conclusion))] }
    case 'moved':
      return { ...base, failures: [accepted('TargetChanged', movedText(conclusion))] }
    case 'published': {
      const { target, desired, registered, revision, problems, foreign, held } = conclusion
      return {
        ...base,
        target,
        desired,
        registered,
        revision,
        failures: [...unresolved(problems), ...unprogrammed(foreign, held)],
      }
    }
  }
}

/** What a GrpcEndpoint is told; `null`: nothing to report yet. */
export function endpointVerdictOf(endpoint: EndpointSource, conclusion: Conclusion): EndpointVerdict | null {
  const base = { generation: endpoint.generation, key: null, drained: false }
  if (!endpoint.spec.ok) return { ...base, failures: [accepted('InvalidSpec', messages(endpoint.spec.problems))] }
  if (conclusion.kind === 'pending') return null
  if (conclusion.kind === 'absent') {
    const message = `there is no GrpcService ${endpoint.service ?? ''}; create it or correct spec.serviceRef.name`
    return { ...base, failures: [{ condition: 'ResolvedRefs', reason: 'ServiceNotFound', message, stalled: false }] }
  }
  if (conclusion.kind !== 'published') {
    const message = `GrpcService ${endpoint.service ?? ''} has a problem of its own, see its conditions; what was published before stays`
    return { ...base, failures: [{ condition: 'ResolvedRefs', reason: 'ServiceNotReady', message, stalled: false }] }
  }
  if (endpoint.spec.value.state === 'Drained') return { ...base, drained: true, failures: [] }
  const address = parseAddress(endpoint.spec.value.address)
  if (!address.ok) return { ...base, failures: [accepted('InvalidSpec', `spec.address: ${address.error}`)] }
  const key = endpointKey(conclusion.target, address.canonical)
  const foreign = conclusion.foreign.filter((other) => other === key)
  const held = conclusion.held.filter((other) => other.key === key)
  return { ...base, key, failures: unprogrammed(foreign, held) }
}

/** The condition for an error that a reconcile threw. */
export function failureOf(error: unknown): Failure {
  return {
    condition: 'Programmed',
    reason: reasonOf(error),
    message: describeError(error),
    stalled: error instanceof ForbiddenError,
  }
}

function reasonOf(error: unknown): ConditionReason {
  if (error instanceof ForbiddenError) return 'PermissionDenied'
  if (error instanceof UnavailableError || error instanceof TimeoutError) {
    return error.target.startsWith('kubernetes ') ? 'KubernetesUnreachable' : 'EtcdUnreachable'
  }
  if (error instanceof RejectedError) return error.code === 'lease-not-found' ? 'LeaseLost' : 'EtcdRefused'
  return 'InternalError'
}

function accepted(reason: ConditionReason, message: string): Failure {
  return { condition: 'Accepted', reason, message, stalled: true }
}

function unresolved(problems: readonly Problem[]): readonly Failure[] {
  return problems.map(({ message }) => ({ condition: 'ResolvedRefs', reason: 'PortNotFound', message, stalled: false }))
}

function unprogrammed(foreign: readonly string[], held: readonly Held[]): readonly Failure[] {
  const failures: Failure[] = []
  if (foreign.length > 0)
    failures.push({ condition: 'Programmed', reason: 'ForeignKey', message: foreignText(foreign), stalled: false })
  const [first] = held
  if (first !== undefined) {
    const message = `${named(held.map(({ key }) => key))} waits until GrpcService ${first.waitsFor} has let go of that address`
    failures.push({ condition: 'Programmed', reason: 'AddressInUse', message, stalled: false })
  }
  return failures
}

function foreignText(foreign: readonly string[]): string {
  return `${named(foreign)} was written by somebody else and is left alone; delete it (etcdctl del ${foreign[0] ?? ''}) to have it published from here`
}

function conflictText({ target, rival }: { readonly target: string; readonly rival: ServiceKey }): string {
  return `target ${target} is the same as, or overlaps with, that of GrpcService ${rival}, which has the older right; choose another spec.target (delete and create again: it is immutable) or delete ${rival}`
}

function movedText({ from, to }: { readonly from: string; readonly to: string }): string {
  return `published as ${from} but would now be ${to}: the operator's --key-prefix was changed; restore it, or delete and create this GrpcService again`
}

function messages(problems: readonly Problem[]): string {
  return problems.map(({ message }) => message).join('; ')
}

/** The first by name, the rest counted. */
function named(keys: readonly string[]): string {
  const [first = '', ...rest] = keys
  return rest.length === 0 ? first : `${first} (and ${rest.length} more)`
}
