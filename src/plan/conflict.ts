/**
 * Who may have a target when several GrpcServices ask for the same or an overlapping one. Deterministic and the same on every
 * replica: the incumbent (it has a Record with this target), then the oldest, then namespace/name (SPEC.md, 5.3).
 */
import type { ServiceKey, ServiceSource } from './sources.ts'

export interface Claim {
  readonly service: Pick<ServiceSource, 'key' | 'createdAt' | 'target'>
  /** It has a Record with this target. */
  readonly incumbent: boolean
}

/** The rival that goes before `own`, or `null` when the target is `own`'s. `rivals` are the other claims that overlap with it. */
export function winningRival(own: Claim, rivals: readonly Claim[]): ServiceKey | null {
  const [first] = [own, ...rivals].toSorted(precedence)
  return first === undefined || first === own ? null : first.service.key
}

function precedence(a: Claim, b: Claim): number {
  if (a.incumbent !== b.incumbent) return a.incumbent ? -1 : 1
  if (a.service.createdAt !== b.service.createdAt) return a.service.createdAt < b.service.createdAt ? -1 : 1
  return a.service.key < b.service.key ? -1 : 1
}

/** The path prefixes of a target, itself not included: `a/b/c` → `a`, `a/b`. Two targets overlap when one is among the other's. */
export function ancestors(target: string): readonly string[] {
  const found: string[] = []
  for (let at = target.indexOf('/'); at >= 0; at = target.indexOf('/', at + 1)) found.push(target.slice(0, at))
  return found
}
