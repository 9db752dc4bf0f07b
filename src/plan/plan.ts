/**
 * plan: the pure core as one function: diff → safeguards → leases → txn. The same inputs always give the same plan, and after its
 * Txn has been committed the next plan for the same desired values is `unchanged` (S12).
 */
import { diff } from './diff.ts'
import { assignLeases } from './lease-assignment.ts'
import type { Observed } from './observed.ts'
import { guard, type Held } from './safeguards.ts'
import type { ServiceKey } from './sources.ts'
import { compile, type GuardKind, type Owner, type ServiceTxn } from './txn.ts'

export interface PlanInputs {
  readonly owner: Owner
  readonly values: ReadonlyMap<string, string>
  readonly observed: Observed
  readonly leaseDurationSeconds: number
  /** Whether an owned key that is not wanted stays all the same. */
  readonly retains: (key: string) => boolean
  readonly staleHolder: (key: string) => ServiceKey | null
  readonly guardKind: GuardKind
}

export interface PlanFacts {
  /** Owned keys that are as wanted already. */
  readonly kept: number
  /** Wanted keys that somebody else wrote. */
  readonly foreign: readonly string[]
  readonly held: readonly Held[]
}

export type Plan = PlanFacts &
  (
    | { readonly kind: 'unchanged' }
    | { readonly kind: 'commit'; readonly txn: ServiceTxn }
    /** So many leases are to be granted before a plan can be made. */
    | { readonly kind: 'grant'; readonly count: number }
    /** The leases there are have not been renewed by this process yet; they will be within one round trip. */
    | { readonly kind: 'wait' }
  )

export function plan(inputs: PlanInputs): Plan {
  const { owner, observed, leaseDurationSeconds } = inputs
  const { diff: wanted, held } = guard(
    diff(inputs.values, observed, leaseDurationSeconds, inputs.retains),
    observed.entries,
    inputs.staleHolder,
  )
  const facts: PlanFacts = { kept: wanted.keeps.length, foreign: wanted.foreign, held }
  if (wanted.puts.size === 0 && wanted.deletes.length === 0 && !recordIsDue(owner, observed)) {
    return { kind: 'unchanged', ...facts }
  }
  const leases = assignLeases(wanted, observed, leaseDurationSeconds)
  switch (leases.kind) {
    case 'missing':
      return { kind: 'grant', count: leases.count, ...facts }
    case 'unknown':
      return { kind: 'wait', ...facts }
    case 'assigned':
      return { kind: 'commit', txn: compile(owner, wanted, leases.leases, observed, inputs.guardKind), ...facts }
  }
}

/** A predecessor's Record is to be taken over, or that of a service that is gone is to be dropped, though no key changes. */
function recordIsDue(owner: Owner, observed: Observed): boolean {
  return observed.predecessors.length > 0 || (owner.retired && observed.record !== null)
}
