/**
 * What clients of the endpoints need, without Kubernetes: the public entry point `grpc-etcd-operator/naming`. Pure.
 */
export { joinAddress, parseAddress, parseHostPort } from './address.ts'
export type { Address, AddressResult, AddressScope } from './address.ts'
export { decodeEndpoint, encodeEndpoint } from './endpoint.ts'
export type { DecodedEndpoint, DecodeResult, Endpoint } from './endpoint.ts'
export { encodeJson, UnsupportedValueError } from './json-encode.ts'
export {
  addressOf,
  endpointKey,
  isTarget,
  overlaps,
  parseEndpointKey,
  parseTarget,
  TARGET_PATTERN,
  targetRange,
} from './key.ts'
export type { EndpointKey, TargetResult } from './key.ts'
export { compareUtf8 } from './utf8.ts'
