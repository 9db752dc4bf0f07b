/** Logging as the modules need it: constant messages and fields. */

/** A logger of the application's: what is said is constant text, what it is about is in the fields. A pino logger is one. */
export interface Log {
  readonly debug: (fields: object, message: string) => void
  readonly info: (fields: object, message: string) => void
  readonly warn: (fields: object, message: string) => void
  readonly error: (fields: object, message: string) => void
  /** A logger that adds `fields` to everything it writes. */
  child(fields: object): Log
}

/** Says nothing. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}
