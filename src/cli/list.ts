/** `grpc-etcd list`: what is under a target at one moment, also what clients skip. */
import { z } from 'zod'
import { ForbiddenError } from '../errors.ts'
import type { EtcdClient, LeaseTimes } from '../etcd/client.ts'
import type { Entry, LeaseId } from '../etcd/kv.ts'
import { readRange } from '../etcd/loader.ts'
import { targetRange } from '../naming/key.ts'
import { commonShape } from './arguments.ts'
import { runCommand } from './command.ts'
import type { EndpointCommand } from './command.ts'
import { listAsJson, listAsTable } from './listing.ts'

const schema = z.object(commonShape)

/** Lease lookups on their way at once. */
const LOOKUPS_AT_ONCE = 32

const command: EndpointCommand<typeof schema> = {
  name: 'list',
  schema,
  places: ['target'],
  flagsOnly: ['output'],
  needs: 'read',
  summary:
    'Lists the endpoints of a target, and how long their leases still live. Values that are no endpoint are shown as such: clients skip them.',
  placesHelp: '  TARGET  payments/ledger, or what clients dial: etcd:///payments/ledger',
  examples: [
    'grpc-etcd list payments/ledger',
    'grpc-etcd list payments/ledger -o json --etcd-endpoints http://etcd-0:2379',
  ],
  async run({ values: { target, output }, connection: { client }, paint, print, say }) {
    const signal = new AbortController().signal
    const { entries } = await readRange(client, targetRange(target), signal)
    const leases = await leaseTimesOf(client, entries, signal)
    if (entries.length === 0) say(`no endpoints: no key begins with "${target}/"`)
    else if (output === 'json') for (const line of listAsJson(entries, leases)) print(line)
    else print(listAsTable(target, entries, leases, paint))
    return 0
  },
}

export const list = (argv: readonly string[]): Promise<number> => runCommand(command, argv)

/** Without those that are gone meanwhile, or that we may not ask for. */
async function leaseTimesOf(
  client: EtcdClient,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<ReadonlyMap<LeaseId, LeaseTimes>> {
  const waiting = [...new Set(entries.map(({ lease }) => lease))].filter((lease) => lease !== null)
  const found = new Map<LeaseId, LeaseTimes>()
  async function work(): Promise<void> {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      try {
        const times = await client.leaseTimeToLive(id, signal)
        if (times !== undefined) found.set(id, times)
      } catch (error) {
        // etcd tells the times of a lease only to who may read all of its keys, and some may be another target's.
        if (!(error instanceof ForbiddenError)) throw error
      }
    }
  }
  await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, work))
  return found
}
