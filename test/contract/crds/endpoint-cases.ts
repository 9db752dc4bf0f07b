/** GrpcEndpoint specs that the API server and the parser accept, and that both refuse. */
import type { SpecCase } from './service-cases.ts'

const at = (address: unknown): unknown => ({ serviceRef: { name: 'ledger' }, address })
const FORM = /must be host:port with an IPv4 address, an IPv6 address in brackets or a DNS name/
const SCOPE = /loopback, unspecified and link-local addresses are refused/
const PATTERN = /spec\.address in body should match/

export const ENDPOINT_CASES: readonly SpecCase[] = [
  { name: 'an IPv4 address', spec: at('10.20.3.7:50051') },
  { name: 'an IPv6 address', spec: at('[2001:db8::7]:1') },
  { name: 'an IPv6 address in capitals', spec: at('[2001:DB8:0:0::7]:65535') },
  { name: 'a DNS name', spec: at('Db-1.example.com:443') },
  {
    name: 'a drained one with metadata',
    spec: { serviceRef: { name: 'ledger.v2' }, address: 'vm:1', metadata: { weight: 1 }, state: 'Drained' },
  },
  { name: 'the longest host', spec: at(`${`${'a'.repeat(49)}.`.repeat(5)}abc:65535`) },

  { name: 'no port', spec: at('10.0.0.1'), refused: FORM, serverSays: PATTERN },
  { name: 'an IPv6 address without brackets', spec: at('2001:db8::7:50051'), refused: FORM, serverSays: PATTERN },
  { name: 'a URL', spec: at('http://a:1'), refused: FORM, serverSays: PATTERN },
  { name: 'port 0', spec: at('10.0.0.1:0'), refused: FORM, serverSays: PATTERN },
  { name: 'port 65536', spec: at('10.0.0.1:65536'), refused: /the port must be a number from 1 to 65535/ },
  { name: 'an IPv4 address out of range', spec: at('10.0.0.256:1'), refused: FORM },
  { name: 'an IPv4 address of three parts', spec: at('10.0.1:1'), refused: FORM },
  { name: 'an IPv4 address that could be octal', spec: at('010.0.0.1:1'), refused: FORM },
  { name: 'an IPv4 address in brackets', spec: at('[10.0.0.1]:1'), refused: FORM },
  { name: 'brackets round nothing that is an address', spec: at('[1:2]:1'), refused: FORM },
  { name: 'an IPv6 zone', spec: at('[fe80::1%eth0]:1'), refused: FORM, serverSays: PATTERN },
  {
    name: 'an IPv4 address in IPv6 form',
    spec: at('[::ffff:10.0.0.1]:1'),
    refused: /must not be an IPv4 address in IPv6 form; write 10\.0\.0\.1:1/,
    serverSays: FORM,
  },
  { name: 'a host that is too long', spec: at(`${`${'a'.repeat(49)}.`.repeat(5)}abcd:1`), refused: FORM },
  { name: 'IPv4 loopback', spec: at('127.1.2.3:1'), refused: SCOPE },
  { name: 'IPv4 unspecified', spec: at('0.0.0.0:1'), refused: SCOPE },
  { name: 'IPv4 link-local', spec: at('169.254.169.254:80'), refused: SCOPE },
  { name: 'IPv4 link-local multicast', spec: at('224.0.0.1:1'), refused: SCOPE },
  { name: 'IPv6 loopback', spec: at('[::1]:1'), refused: SCOPE },
  { name: 'IPv6 unspecified', spec: at('[::]:1'), refused: SCOPE },
  { name: 'IPv6 link-local', spec: at('[fe80::1]:1'), refused: SCOPE },
  { name: 'IPv6 link-local multicast', spec: at('[ff02::1]:1'), refused: SCOPE },
  { name: 'localhost', spec: at('LocalHost:1'), refused: SCOPE },
  { name: 'a name under localhost', spec: at('a.localhost:1'), refused: SCOPE },
  {
    name: 'no address',
    spec: { serviceRef: { name: 'a' } },
    refused: /spec\.address is required; it must be host:port/,
    serverSays: /spec\.address: Required/,
  },
  {
    name: 'no serviceRef',
    spec: { address: 'vm:1' },
    refused: /spec\.serviceRef is required/,
    serverSays: /spec\.serviceRef: Required/,
  },
  {
    name: 'a serviceRef without a name',
    spec: { address: 'vm:1', serviceRef: {} },
    refused: /spec\.serviceRef\.name is required/,
    serverSays: /name: Required/,
  },
  {
    name: 'a serviceRef into another namespace',
    spec: { address: 'vm:1', serviceRef: { name: 'other/a' } },
    refused: /must be the name of a GrpcService of the same namespace/,
    serverSays: /should match/,
  },
  {
    name: 'an unknown state',
    spec: { address: 'vm:1', serviceRef: { name: 'a' }, state: 'Down' },
    refused: /must be one of Active, Drained/,
    serverSays: /Unsupported value/,
  },
]
