/**
 * GrpcEndpoint: one address that is not a Pod. Schema, types and parser, as in `grpc-service.ts`. Pure.
 *
 * Addresses that mean "the machine you are on" are refused: published to others they would point every client at itself, and a
 * user of this API could aim other people's clients at their own loopback services. (Pod addresses come from the cluster and are
 * not subject to this.)
 */
import * as z from 'zod'
import { parseAddress } from '../naming/address.ts'
import { conditionsSchema, observedGenerationSchema, type Condition } from './condition.ts'
import { METADATA_WARNING, metadataSchema } from './metadata.ts'
import { parseSpec, type DeepReadonly, type ParseResult } from './problem.ts'
import { choice, described, must, objectName, type Rule } from './schema.ts'

/** A host of 253, a colon, a port of 5. */
const MAX_ADDRESS = 259

const LABEL = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
const ADDRESS_PATTERN = `^(\\[[0-9A-Fa-f:.]+\\]|${LABEL}([.]${LABEL})*):[1-9][0-9]{0,4}$`
const ADDRESS_FORM =
  'must be host:port with an IPv4 address, an IPv6 address in brackets or a DNS name, e.g. 10.20.3.7:50051'

/** Binds `host`, without its brackets, in `condition`: a list of one is how CEL names a value. */
function forHost(condition: string): string {
  return `[self.substring(0, self.lastIndexOf(':')).replace('[', '').replace(']', '')].all(host, ${condition})`
}

const portRule: Rule = {
  rule: "int(self.substring(self.lastIndexOf(':') + 1)) <= 65535",
  message: `${ADDRESS_FORM}: the port must be a number from 1 to 65535`,
}

const hostRule: Rule = {
  rule: forHost(
    "self.startsWith('[') ? isIP(host) && ip(host).family() == 6 : isIP(host) || (host.size() <= 253 && !host.matches('(^|[.])[0-9]+$'))",
  ),
  message: ADDRESS_FORM,
}

const scopeRule: Rule = {
  rule: forHost(
    'isIP(host) ? !(ip(host).isLoopback() || ip(host).isUnspecified() || ip(host).isLinkLocalUnicast() || ip(host).isLinkLocalMulticast()) ' +
      ": !host.lowerAscii().matches('(^|[.])localhost$')",
  ),
  message:
    'must be an address that other machines can dial: loopback, unspecified and link-local addresses are refused',
}

/** `undefined`: the address may be published. */
function addressError(text: unknown): string | undefined {
  if (text === undefined) return `is required; it ${ADDRESS_FORM}`
  const address = typeof text === 'string' ? parseAddress(text) : undefined
  if (address === undefined) return ADDRESS_FORM
  if (!address.ok) return `${ADDRESS_FORM}: ${address.error}`
  // The API server refuses these too; two spellings of one machine would be two endpoints.
  if (address.kind === 'ipv6' && address.host.startsWith('::ffff:') && address.host.includes('.')) {
    return `must not be an IPv4 address in IPv6 form; write ${address.host.slice('::ffff:'.length)}:${address.port}`
  }
  return address.scope === 'global' ? undefined : scopeRule.message
}

export const grpcEndpointSpecSchema = z
  .object(
    {
      serviceRef: z
        .object(
          { name: objectName('GrpcService').meta(described('Its name.')) },
          { error: must('an object with the name of a GrpcService') },
        )
        .meta({
          'x-kubernetes-map-type': 'atomic',
          ...described('The GrpcService of the same namespace that this endpoint belongs to. Immutable.', {
            rule: 'self == oldSelf',
            message: 'serviceRef is immutable: create another GrpcEndpoint and delete this one',
          }),
        }),
      address: z
        .custom<string>((value) => addressError(value) === undefined, {
          error: (issue) => addressError(issue.input) ?? '',
        })
        .meta({
          type: 'string',
          maxLength: MAX_ADDRESS,
          pattern: ADDRESS_PATTERN,
          ...described(
            'What clients dial: host:port with an IPv4 address, an IPv6 address in brackets ([2001:db8::7]:50051) or a DNS name. Loopback, unspecified and link-local addresses are refused.',
            portRule,
            hostRule,
            scopeRule,
          ),
        }),
      metadata: metadataSchema(
        "Stored with this endpoint: any JSON value, at most 4 KiB; merged over the GrpcService's field by field if both are objects, else in its place. " +
          METADATA_WARNING,
      ),
      state: choice(['Active', 'Drained'])
        .default('Active')
        .meta(described('Active: published. Drained: taken out of etcd, the object stays.')),
    },
    { error: must('an object with serviceRef and address') },
  )
  .meta(described('Which address, and for which GrpcService.'))

export const grpcEndpointStatusSchema = z
  .object({
    observedGeneration: observedGenerationSchema,
    conditions: conditionsSchema,
    key: z.string().max(2048).optional().meta(described('Its key in etcd, while it is published.')),
  })
  .meta(described('What the operator made of it.'))

export type GrpcEndpointSpec = DeepReadonly<z.output<typeof grpcEndpointSpecSchema>>

export type GrpcEndpointStatus = DeepReadonly<Omit<z.output<typeof grpcEndpointStatusSchema>, 'conditions'>> & {
  readonly conditions: readonly Condition[]
}

/** The spec of a whole object, defaults applied; or every mistake in it. Never throws. */
export function parseGrpcEndpoint(object: unknown): ParseResult<GrpcEndpointSpec> {
  return parseSpec(grpcEndpointSpecSchema, object)
}
