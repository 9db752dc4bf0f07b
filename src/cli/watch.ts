/** `grpc-etcd watch`: the whole set of a target, then every change of it, as clients of this library see it. */
import { z } from 'zod'
import type { WatchItem } from '../naming/view.ts'
import { EndpointManager } from '../naming/manager.ts'
import { commonShape } from './arguments.ts'
import { changeAsJson, changeAsText, ChangeTracker } from './changes.ts'
import { runCommand } from './command.ts'
import type { EndpointCommand } from './command.ts'
import { createWatchLog } from './watch-log.ts'

const schema = z.object(commonShape)

const command: EndpointCommand<typeof schema> = {
  name: 'watch',
  schema,
  places: ['target'],
  flagsOnly: ['output'],
  needs: 'read',
  summary:
    'Shows the endpoints of a target, then each change as it happens: + added, - gone, ~ changed, with the revision of etcd. It goes on through lost connections until Ctrl-C, and then ends with 0.',
  placesHelp: '  TARGET  payments/ledger, or what clients dial: etcd:///payments/ledger',
  examples: ['grpc-etcd watch payments/ledger', 'grpc-etcd watch etcd:///payments/ledger -o json | jq .address'],
  createLog: createWatchLog,
  async run({ values: { target, output }, connection, paint, print, say }) {
    const stop = new AbortController()
    const onSignal = () => {
      stop.abort()
    }
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal)
    const tracker = new ChangeTracker(target)
    const show = (item: WatchItem) => {
      const at = new Date()
      for (const change of tracker.apply(item))
        print(output === 'json' ? changeAsJson(change, at) : changeAsText(change, at, paint))
    }
    try {
      let isFirst = true
      for await (const item of new EndpointManager(connection, target).watch(stop.signal)) {
        show(item)
        if (isFirst)
          say(
            `${tracker.size} ${tracker.size === 1 ? 'endpoint' : 'endpoints'} at revision ${item.revision}; watching, Ctrl-C ends`,
          )
        isFirst = false
      }
      return 0
    } finally {
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, onSignal)
    }
  },
}

export const watch = (argv: readonly string[]): Promise<number> => runCommand(command, argv)
