/** What users write, as the rest of the operator reads it. */
export type { Condition, ConditionReason, ConditionType } from './condition.ts'
export { parseGrpcEndpoint } from './grpc-endpoint.ts'
export type { GrpcEndpointSpec, GrpcEndpointStatus } from './grpc-endpoint.ts'
export { parseGrpcService } from './grpc-service.ts'
export type { GrpcServiceSpec, GrpcServiceStatus } from './grpc-service.ts'
export { GROUP, VERSION } from './kinds.ts'
export type { LabelSelector } from './label-selector.ts'
export type { ParseResult, Problem } from './problem.ts'
