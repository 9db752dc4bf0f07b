/**
 * Conditions: their types and reasons, shaped as kstatus expects (Flux, `kubectl wait` and `helm --wait` read them). STABLE FORMAT:
 * people's alerts and scripts match on these words. Pure.
 */
import * as z from 'zod'

/** `Reconciling` and `Stalled` are present only when True. */
export type ConditionType = 'Accepted' | 'ResolvedRefs' | 'Programmed' | 'Ready' | 'Reconciling' | 'Stalled'

/** Why a condition is as it is. A condition that is True for no special reason has its own type as reason. */
export type ConditionReason =
  // Accepted
  | 'Accepted'
  | 'InvalidSpec'
  | 'TargetConflict'
  | 'TargetChanged'
  // ResolvedRefs
  | 'ResolvedRefs'
  | 'ServiceNotFound'
  | 'ServiceNotReady'
  | 'PortNotFound'
  // Programmed
  | 'Programmed'
  | 'EtcdUnreachable'
  | 'PermissionDenied'
  | 'LeaseLost'
  | 'ForeignKey'
  | 'AddressInUse'
  | 'KubernetesUnreachable'
  | 'EtcdRefused'
  | 'InternalError'
  // Ready
  | 'Ready'
  | 'NoEndpoints'
  | 'Drained'

/** `metav1.Condition`. */
export interface Condition {
  readonly type: ConditionType
  readonly status: 'True' | 'False' | 'Unknown'
  /** `metadata.generation` of the spec that it speaks of. */
  readonly observedGeneration: number
  /** RFC 3339, whole seconds. */
  readonly lastTransitionTime: string
  readonly reason: ConditionReason
  readonly message: string
}

/** As `metav1.Condition` is bounded; open strings, so that an older CRD does not refuse a newer operator's reasons. */
const conditionSchema = z
  .object({
    type: z.string().max(316).meta({
      description: 'What this condition is about: Accepted, ResolvedRefs, Programmed, Ready, Reconciling or Stalled.',
    }),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether it holds.' }),
    observedGeneration: z.int().min(0).optional().meta({
      format: 'int64',
      description:
        'The metadata.generation of the spec this condition speaks of. Older than the object: the operator has not seen the change yet.',
    }),
    lastTransitionTime: z
      .string()
      .max(64)
      .meta({ format: 'date-time', description: 'When status last changed from one value to another.' }),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .meta({ description: 'Why, in one word for programs.' }),
    message: z
      .string()
      .max(32768)
      .meta({ description: 'Why, in a sentence for people: what was looked for, where, and what is there instead.' }),
  })
  .meta({ description: "One aspect of the object's state." })

export const conditionsSchema = z
  .array(conditionSchema)
  .max(16)
  .optional()
  .meta({
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
    description:
      "Accepted: the spec is valid and its target is this object's. ResolvedRefs: what the spec refers to exists. Programmed: etcd holds the desired state. " +
      'Ready: all of these; an empty service is ready too. Reconciling and Stalled are present only when True; Stalled means that a human must act.',
  })

export const observedGenerationSchema = z.int().min(-1).default(-1).meta({
  format: 'int64',
  description: 'The metadata.generation that this status speaks of; -1: the operator has not looked at the object yet.',
})
