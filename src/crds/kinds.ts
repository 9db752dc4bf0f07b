/** The two kinds as the API server is to know them: names, columns, schemas. What `npm run gen` writes the CRDs from. Pure. */
import type * as z from 'zod'
import { grpcEndpointSpecSchema, grpcEndpointStatusSchema } from './grpc-endpoint.ts'
import { grpcServiceSpecSchema, grpcServiceStatusSchema } from './grpc-service.ts'

export const GROUP = 'grpcetcd.dev'
export const VERSION = 'v1alpha1'

export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly jsonPath: string
  /** 1: only with `-o wide`. */
  readonly priority?: 1
  readonly description: string
}

export interface Kind {
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortName: string
  readonly description: string
  readonly spec: z.ZodType
  readonly status: z.ZodType
  readonly columns: readonly Column[]
}

function readyColumn(name: string, field: string, description: string, priority?: 1): Column {
  const column = {
    name,
    type: 'string' as const,
    jsonPath: `.status.conditions[?(@.type=="Ready")].${field}`,
    description,
  }
  return priority === undefined ? column : { ...column, priority }
}

const ready = readyColumn('Ready', 'status', 'Whether etcd holds what the spec asks for.')
const age: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since it was created.',
}

export const KINDS: readonly Kind[] = [
  {
    kind: 'GrpcService',
    plural: 'grpcservices',
    singular: 'grpcservice',
    shortName: 'grpcsvc',
    description:
      'A gRPC service that clients find in etcd: one target that they dial as etcd:///<target>, and where its endpoints come from.',
    spec: grpcServiceSpecSchema,
    status: grpcServiceStatusSchema,
    columns: [
      { name: 'Target', type: 'string', jsonPath: '.status.target', description: 'What clients dial after etcd:///.' },
      {
        name: 'Desired',
        type: 'integer',
        jsonPath: '.status.endpoints.desired',
        description: 'Endpoints that the sources give.',
      },
      {
        name: 'Registered',
        type: 'integer',
        jsonPath: '.status.endpoints.registered',
        description: 'Endpoints that etcd holds.',
      },
      ready,
      readyColumn('Reason', 'reason', 'Why it is ready, or not.'),
      age,
      {
        name: 'Revision',
        type: 'string',
        jsonPath: '.status.revision',
        priority: 1,
        description: 'Revision of etcd that holds them.',
      },
      readyColumn('Message', 'message', 'Why, in a sentence.', 1),
    ],
  },
  {
    kind: 'GrpcEndpoint',
    plural: 'grpcendpoints',
    singular: 'grpcendpoint',
    shortName: 'grpcep',
    description: 'One address of a GrpcService that is not a Pod: a virtual machine, or a machine in another cluster.',
    spec: grpcEndpointSpecSchema,
    status: grpcEndpointStatusSchema,
    columns: [
      { name: 'Key', type: 'string', jsonPath: '.status.key', description: 'Its key in etcd.' },
      { name: 'State', type: 'string', jsonPath: '.spec.state', description: 'Active, or Drained.' },
      ready,
      age,
    ],
  },
]
