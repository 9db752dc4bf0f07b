/** `grpc-etcd delete`: takes one endpoint away. That it was not there is a failure: whoever asks has something else in mind than etcd. */
import { z } from 'zod'
import { endpointKey } from '../naming/key.ts'
import { addressToDelete, commonShape } from './arguments.ts'
import { runCommand } from './command.ts'
import type { EndpointCommand } from './command.ts'
import { jsonLine, printable, shellWord, showLease } from './terminal.ts'

const schema = z.object({ ...commonShape, address: addressToDelete })

const command: EndpointCommand<typeof schema> = {
  name: 'delete',
  schema,
  places: ['target', 'address'],
  flagsOnly: ['output'],
  needs: 'readwrite',
  summary: 'Deletes an endpoint of a target. Ends with 1 when it is not there.',
  placesHelp: `  TARGET   payments/ledger, or what clients dial: etcd:///payments/ledger
  ADDRESS  what follows the target in the key: 10.0.0.7:50051`,
  examples: [
    'grpc-etcd delete payments/ledger 10.0.0.7:50051',
    'grpc-etcd delete etcd:///payments/ledger [2001:db8::7]:50051',
  ],
  async run({ values: { target, address: spellings, output }, connection, print, say }) {
    const keys = spellings.map((spelling) => endpointKey(target, spelling))
    const { header, results } = await connection.client.txn(
      { compare: [], success: keys.map((key) => ({ kind: 'delete', key, prevKv: true })), failure: [] },
      new AbortController().signal,
    )
    const deleted = results.flatMap((result) => (result.kind === 'delete' ? result.previous : []))
    const { revision } = header
    for (const { key, lease } of deleted) {
      if (output === 'json') print(jsonLine({ done: 'deleted', key, revision }))
      else print(`${printable(key)} deleted, revision ${revision}`)
      if (lease !== null)
        say(`warning: it went with lease ${showLease(lease)}: whoever keeps that alive may write it again`)
    }
    if (deleted.length > 0) return 0
    say(
      `grpc-etcd delete: not there: ${keys.map(printable).join(' or ')}; grpc-etcd list ${shellWord(target)} shows what is`,
    )
    return 1
  },
}

export const deleteEndpoint = (argv: readonly string[]): Promise<number> => runCommand(command, argv)
