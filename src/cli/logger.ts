/** The operator's log: JSON lines, or lines for people on a terminal. Written at once, so that threads share a file without mixing lines. */
import { isatty } from 'node:tty'
import { destination, pino, type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { Config } from '../config.ts'

/** Standard output. */
const FILE = 1

export function createLogger({ logLevel, logFormat }: Pick<Config, 'logLevel' | 'logFormat'>): Logger {
  const asText = logFormat === 'pretty' || (logFormat === 'auto' && isatty(FILE))
  const options = { level: logLevel, base: null }
  return asText
    ? pino(options, pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l', destination: FILE }))
    : pino(options, destination({ sync: true, dest: FILE }))
}
