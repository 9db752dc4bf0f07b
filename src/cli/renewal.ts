/**
 * The renewal thread of `grpc-etcd operator`: the program run a second time, as a worker thread with the Config as its data. It has its
 * own connection and writes its own log lines, because the main thread may be stuck.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { Config } from '../config.ts'
import { InvariantError } from '../errors.ts'
import { serveRenewals } from '../etcd/renewal-worker.ts'
import { connectTo } from './connect.ts'
import { createLogger } from './logger.ts'

export function renewal(): void {
  if (parentPort === null) throw new InvariantError('the renewal thread was started without a main thread')
  const config: Config = workerData
  const log = createLogger(config).child({ component: 'lease-renewal' })
  const { client } = connectTo(config, log)
  serveRenewals({ port: parentPort, client, maxBlindSeconds: config.maxBlindSeconds, log })
}
