/**
 * The independent watcher: a process of its own that looks at all of etcd through a raw watch and prints, a line for each response, when
 * it came and what it holds: `[atMs, [["put" | "delete", key], ...]]`. First it prints `ready`.
 */
import { parseArgs } from 'node:util'

import { Etcd3 } from 'etcd3'

import { monotonicMs } from './clock.ts'

const { values } = parseArgs({ options: { etcd: { type: 'string' } } })
const stream = await new Etcd3({ hosts: values.etcd ?? '' }).watchClient.watch()
stream.on('error', (error) => {
  throw error
})
stream.on('data', (response) => {
  const atMs = monotonicMs()
  if (response.canceled) throw new Error(`etcd ended the watch: ${response.cancel_reason}`)
  if (response.created) console.log('ready')
  if (response.events.length === 0) return
  const events = response.events.map(({ type, kv }) => [type.toLowerCase(), kv.key.toString()])
  console.log(JSON.stringify([atMs, events]))
})
stream.write({ create_request: { key: Buffer.of(0), range_end: Buffer.of(0) } })
