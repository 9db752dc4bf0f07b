/**
 * Our etcd user's token: asked for when the first request needs it, shared by all, forgotten when etcd refuses it (it expires, and a
 * restarted etcd knows none).
 */
import { readSecretFile } from './secrets.ts'
import { isServiceError } from './status-errors.ts'

export interface AuthTokenOptions<Connection> {
  /** Without a user there is no token. */
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly passwordFile?: string | undefined
  /** Throws what the server answered. */
  readonly authenticate: (connection: Connection, request: Credentials) => Promise<{ readonly token: string }>
  /** Our error for a foreign one. */
  readonly toError: (error: unknown, connection: Connection) => Promise<Error>
}

interface Credentials {
  readonly name: string
  readonly password: string
}

export interface AuthToken {
  /** `undefined`: to be sent without. */
  readonly value: string | undefined
  /** etcd refused it: the next request asks for another. */
  forget(): void
}

export type GetAuthToken<Connection> = (connection: Connection) => Promise<AuthToken>

export function createAuthToken<Connection>(options: AuthTokenOptions<Connection>): GetAuthToken<Connection> {
  let current: Promise<string | undefined> | undefined

  async function authenticate(connection: Connection, name: string): Promise<string | undefined> {
    const password = options.password ?? (await passwordFromFile())
    try {
      return (await options.authenticate(connection, { name, password })).token
    } catch (error) {
      // Not switched on (yet): go without; once it is, the refusal of the first call brings us back here.
      if (isServiceError(error) && error.details.includes('authentication is not enabled')) return undefined
      throw await options.toError(error, connection)
    }
  }

  async function passwordFromFile(): Promise<string> {
    const file = options.passwordFile
    return file === undefined ? '' : (await readSecretFile(file)).toString().replace(/\r?\n$/, '')
  }

  return async (connection) => {
    if (options.username === undefined) return { value: undefined, forget: () => undefined }
    current ??= authenticate(connection, options.username)
    const attempt = current
    const forget = () => {
      if (current === attempt) current = undefined
    }
    try {
      return { value: await attempt, forget }
    } catch (error) {
      forget()
      throw error
    }
  }
}
