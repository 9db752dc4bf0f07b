/**
 * The public entry point `grpc-etcd-operator/naming`: etcd's gRPC naming for Node.js, compatible with Go's
 * `go.etcd.io/etcd/client/v3/naming`. It needs etcd3 (as codec) and @grpc/grpc-js, and nothing of Kubernetes.
 */
export {
  ConfigError,
  ForbiddenError,
  GrpcEtcdError,
  InvalidArgumentError,
  RejectedError,
  TimeoutError,
  UnavailableError,
} from '../errors.ts'
export type { ErrorDetails } from '../errors.ts'
export type { LeaseId, Revision } from '../etcd/kv.ts'
export type { Log } from '../runtime/log.ts'
export { joinAddress, parseAddress, parseHostPort } from './address.ts'
export type { Address, AddressResult, AddressScope } from './address.ts'
export { EtcdConnection } from './connection.ts'
export type { AuthOptions, Etcd3Client, EtcdOptions, EtcdSource, TlsOptions } from './connection.ts'
export { decodeEndpoint, encodeEndpoint } from './endpoint.ts'
export type { DecodedEndpoint, DecodeResult, Endpoint } from './endpoint.ts'
export { UnsupportedValueError } from './json-encode.ts'
export { endpointKey, parseEndpointKey } from './key.ts'
export type { EndpointKey } from './key.ts'
export { EndpointManager } from './manager.ts'
export type { UpdateResult } from './manager.ts'
export { register } from './register.ts'
export type { RegisterOptions } from './register.ts'
export type { Registration, RegistrationState } from './registration.ts'
export { registerEtcdResolver } from './resolver.ts'
export type { EtcdResolver, ResolverOptions } from './resolver.ts'
export type { AddOptions, DeleteOptions, Update } from './updates.ts'
export type { WatchItem, WatchUpdate } from './view.ts'
