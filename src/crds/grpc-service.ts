/**
 * GrpcService: one target in etcd and where its endpoints come from. The zod schema is the one source of the CRD (`npm run gen`),
 * of the types and of the parser. Pure.
 *
 * Whatever the CRD accepts, the parser accepts (test/contract/crds), but for the size of `metadata`; and it holds for objects that
 * slipped past an older CRD.
 */
import * as z from 'zod'
import { TARGET_PATTERN } from '../naming/key.ts'
import { conditionsSchema, observedGenerationSchema, type Condition } from './condition.ts'
import { labelSelectorSchema, notEmptyRule } from './label-selector.ts'
import { METADATA_WARNING, metadataSchema } from './metadata.ts'
import { parseSpec, type DeepReadonly, type ParseResult } from './problem.ts'
import { choice, described, integer, must, text, type Rule } from './schema.ts'

const portRule: Rule = {
  rule:
    'type(self) == int ? self >= 1 && self <= 65535 : ' +
    "self.size() <= 15 && self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$') && self.matches('[a-z]') && !self.contains('--')",
  message:
    'must be a port number from 1 to 65535 or the name of a container port (at most 15 of a-z, 0-9 and "-", e.g. grpc)',
}

function isPort(port: unknown): port is number | string {
  if (typeof port === 'number') return Number.isInteger(port) && port >= 1 && port <= 65535
  return (
    typeof port === 'string' &&
    port.length <= 15 &&
    /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(port) &&
    /[a-z]/.test(port) &&
    !port.includes('--')
  )
}

const podsSchema = z.object(
  {
    selector: labelSelectorSchema.meta({
      'x-kubernetes-map-type': 'atomic',
      ...described('Which Pods of this namespace, by their labels. Must not be empty.', notEmptyRule),
    }),
    port: z
      .custom<number | string>(isPort, {
        error: (issue) => (issue.input === undefined ? `is required; it ${portRule.message}` : portRule.message),
      })
      .meta({
        'x-kubernetes-int-or-string': true,
        ...described(
          'Where the Pods serve gRPC: a number, or the name of a container port, looked up in each Pod (sidecars included).',
          portRule,
        ),
      }),
    readiness: choice(['Ready', 'ContainersReady', 'Running'])
      .default('Ready')
      .meta(
        described(
          "When a Pod is published. Ready: its Ready condition is True, readiness gates included. ContainersReady: its containers' readiness probes pass, whatever readiness gates say. " +
            'Running: its phase is Running, whatever its probes say.',
        ),
      ),
    draining: choice(['Immediate', 'WhileServing'])
      .default('Immediate')
      .meta(
        described(
          'What becomes of a Pod that is being deleted. Immediate: its endpoint goes as soon as deletionTimestamp is set. WhileServing: it stays as long as the Pod is ready. ' +
            'In both cases terminating Pods that are still ready stay while nothing else is left, because a dying endpoint beats none.',
        ),
      ),
    ipFamily: choice(['Primary', 'IPv4', 'IPv6', 'All'])
      .default('Primary')
      .meta(
        described(
          "Which of a Pod's addresses are published. Primary: the first one. IPv4, IPv6: those of the family, none if there is none. All: each as an endpoint of its own, so a client that balances over endpoints sees a dual-stack Pod twice.",
        ),
      ),
  },
  { error: must('an object with selector and port') },
)

const immutableTarget: Rule = {
  rule: 'self == oldSelf',
  message:
    'target is immutable: clients dial it; create another GrpcService, and delete this one when no client dials it any more',
}

const stableTarget: Rule = {
  rule: 'has(self.target) == has(oldSelf.target)',
  message:
    'target can not be added or removed later: clients dial it; create another GrpcService, and delete this one when no client dials it any more',
}

export const grpcServiceSpecSchema = z
  .object(
    {
      target: text({
        pattern: TARGET_PATTERN,
        maxLength: 253,
        be: 'segments joined by "/", each of letters, digits, ".", "_" and "-", beginning and ending with a letter or digit, e.g. payments/ledger',
      })
        .optional()
        .meta(
          described(
            "What clients dial after etcd:///, and where the endpoints' keys live: <target>/<address>. Default: <namespace>/<name>. The operator may put a prefix before it; status.target has the whole. " +
              'No two GrpcServices can have the same target, nor one that is a path prefix of the other. Immutable, and can not be added or removed later.',
            immutableTarget,
          ),
        ),
      pods: podsSchema
        .optional()
        .meta(described('Publishes Pods. Without it, the service has only its GrpcEndpoints.')),
      metadata: metadataSchema(
        "Stored with every endpoint: any JSON value, at most 4 KiB. A GrpcEndpoint's own metadata is merged over it field by field if both are objects, else replaces it. Default: none (null). " +
          METADATA_WARNING,
      ),
      metadataFormat: choice(['String', 'Object'])
        .default('String')
        .meta(
          described(
            "How metadata that is not a string is stored. String: as one JSON string that holds the value's JSON text, which every client can read. Object: as the value itself. " +
              METADATA_WARNING,
          ),
        ),
      leaseDurationSeconds: integer({ min: 10, max: 86400, unit: 'seconds' })
        .default(600)
        .meta(
          described(
            'How long the endpoints stay in etcd when no operator is alive to renew them, in seconds. A restart or an upgrade of the operator shorter than this changes nothing; a longer outage removes the endpoints, and they come back with the operator.',
          ),
        ),
    },
    { error: must('an object') },
  )
  .meta(described('Which target in etcd, and what is published there.', stableTarget))

const COUNT_MAX = 2_147_483_647

export const grpcServiceStatusSchema = z
  .object({
    observedGeneration: observedGenerationSchema,
    conditions: conditionsSchema,
    target: z
      .string()
      .max(1024)
      .optional()
      .meta(described('What clients dial after etcd:///, with the prefix of the operator, e.g. payments/ledger.')),
    endpoints: z
      .object({
        desired: z
          .int()
          .min(0)
          .max(COUNT_MAX)
          .meta(described('Endpoints that the sources (Pods, GrpcEndpoints) give now.')),
        registered: z.int().min(0).max(COUNT_MAX).meta(described('Endpoints of this service that etcd holds.')),
      })
      .optional()
      .meta(described('Numbers of endpoints.')),
    revision: z
      .string()
      .max(20)
      .regex(/^[0-9]+$/)
      .optional()
      .meta(described('Revision of etcd at which it held the registered endpoints. A string, because it has 64 bits.')),
  })
  .meta(described('What the operator made of it.'))

export type GrpcServiceSpec = DeepReadonly<z.output<typeof grpcServiceSpecSchema>>

export type GrpcServiceStatus = DeepReadonly<Omit<z.output<typeof grpcServiceStatusSchema>, 'conditions'>> & {
  readonly conditions: readonly Condition[]
}

/** The spec of a whole object, defaults applied; or every mistake in it. Never throws. */
export function parseGrpcService(object: unknown): ParseResult<GrpcServiceSpec> {
  return parseSpec(grpcServiceSpecSchema, object)
}
