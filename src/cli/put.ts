/** `grpc-etcd put`: writes one endpoint, as etcd's Go package writes it, and tells what was there before. */
import { z } from 'zod'
import { InvariantError } from '../errors.ts'
import type { Entry, LeaseId } from '../etcd/kv.ts'
import { decodeEndpoint, encodeEndpoint } from '../naming/endpoint.ts'
import { endpointKey } from '../naming/key.ts'
import { addressToPut, commonShape, lease, metadata } from './arguments.ts'
import { runCommand } from './command.ts'
import type { EndpointCommand } from './command.ts'
import { jsonLine, printable, shellWord, showLease, showMetadata } from './terminal.ts'

const schema = z.object({ ...commonShape, address: addressToPut, metadata, lease })

const command: EndpointCommand<typeof schema> = {
  name: 'put',
  schema,
  places: ['target', 'address'],
  flagsOnly: ['metadata', 'lease', 'output'],
  needs: 'readwrite',
  summary: 'Adds an endpoint to a target, or replaces it.',
  placesHelp: `  TARGET   payments/ledger, or what clients dial: etcd:///payments/ledger
  ADDRESS  host:port, IPv6 in brackets: 10.0.0.7:50051, [2001:db8::7]:50051`,
  examples: [
    'grpc-etcd put payments/ledger 10.0.0.7:50051 --lease 694d81417acd4b11',
    `grpc-etcd put payments/ledger 10.0.0.7:50051 --metadata '{"zone":"a"}'`,
  ],
  async run({ values: { target, address, metadata = null, lease = null, output }, connection, print, say }) {
    const key = endpointKey(target, address)
    const value = encodeEndpoint({ addr: address, metadata })
    const { header, results } = await connection.client.txn(
      { compare: [], success: [{ kind: 'put', key, value, lease, prevKv: true }], failure: [] },
      new AbortController().signal,
    )
    const [result] = results
    if (result?.kind !== 'put') throw new InvariantError('etcd answered a put with something else')
    const { previous } = result
    const done = comparedTo(previous, value, lease)
    const { revision } = header
    const was = previous === undefined || done === 'unchanged' ? '' : ` (it had ${wasOf(previous)})`
    if (output === 'json') print(jsonLine({ done, key, revision, address, metadata, lease: lease && showLease(lease) }))
    else print(`${printable(key)} ${done}, revision ${revision}${was}`)
    if (lease === null) say(noLease(target, address, previous?.lease ?? null))
    return 0
  },
}

export const put = (argv: readonly string[]): Promise<number> => runCommand(command, argv)

function comparedTo(previous: Entry | undefined, value: string, lease: LeaseId | null) {
  if (previous === undefined) return 'created'
  return previous.lease === lease && Buffer.from(previous.value).equals(Buffer.from(value)) ? 'unchanged' : 'changed'
}

function wasOf({ value, lease }: Entry): string {
  const leased = lease === null ? 'no lease' : `lease ${showLease(lease)}`
  const decoded = decodeEndpoint(value)
  if (!decoded.ok) return `no endpoint, ${leased}`
  const { metadata } = decoded.endpoint
  return `${metadata === null ? 'no metadata' : `metadata ${showMetadata(metadata)}`}, ${leased}`
}

function noLease(target: string, address: string, before: LeaseId | null): string {
  const detached = before === null ? '' : `it no longer goes with lease ${showLease(before)}; `
  return `warning: ${detached}without --lease the key stays until somebody deletes it: grpc-etcd delete ${shellWord(target)} ${shellWord(address)}`
}
