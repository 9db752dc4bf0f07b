/** What the connection logs during a watch, in lines for a person: etcd is away, etcd is back, a value that is no endpoint. */
import type { Log } from '../runtime/log.ts'
import { clock } from './changes.ts'
import type { Say } from './command.ts'
import { reasonOf } from './explain.ts'
import { printable } from './terminal.ts'

export function createWatchLog(say: Say): Log {
  let isLost = false
  const tell = (text: string) => {
    say(`${clock(new Date())}  ${text}`)
  }
  /** Once, however many attempts fail. */
  const lost = (reason: unknown) => {
    if (!isLost) tell(`connection to etcd lost: ${reasonOf(reason)}; endpoints stay as they are until it is back`)
    isLost = true
  }
  const log: Log = {
    debug() {},
    info(_, message) {
      if (message !== 'etcd stream restored') return
      tell('connection to etcd is back')
      isLost = false
    },
    warn(fields, message) {
      const { error, key } = Object.fromEntries(Object.entries(fields))
      switch (message) {
        case 'etcd stream lost':
        case 'etcd stream can not be opened':
          return lost(error)
        case 'not an endpoint: skipped':
          return tell(`${printable(String(key))} holds no endpoint, clients skip it: ${printable(String(error))}`)
        default:
      }
    },
    error(_, message) {
      tell(`${message}: reading it again`)
    },
    child: () => log,
  }
  return log
}
