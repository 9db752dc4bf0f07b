/**
 * What proves who we are to etcd and whom we trust, given in memory or as files. Files are read when a connection is built and compared
 * when one fails, so a rotated certificate is used without a restart (L8). Contents are compared, not times: mounted Secrets change by
 * symlink.
 */
import { readFile } from 'node:fs/promises'
import { ConfigError } from '../errors.ts'

/** PEM. What is given in memory beats its file. */
export interface SecretSources {
  readonly ca?: string | Buffer | undefined
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

export interface Secrets {
  readonly ca: Buffer | undefined
  readonly cert: Buffer | undefined
  readonly key: Buffer | undefined
}

/** @throws ConfigError naming the file that can not be read. */
export async function readSecretFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new ConfigError(`can not read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      code: 'unreadable-file',
      target: path,
      cause,
    })
  }
}

export async function readSecrets(from: SecretSources): Promise<Secrets> {
  const read = async (given: string | Buffer | undefined, path: string | undefined) => {
    if (given !== undefined) return Buffer.from(given)
    return path === undefined ? undefined : readSecretFile(path)
  }
  const [ca, cert, key] = await Promise.all([
    read(from.ca, from.caFile),
    read(from.cert, from.certFile),
    read(from.key, from.keyFile),
  ])
  return { ca, cert, key }
}

export function sameSecrets(a: Secrets, b: Secrets): boolean {
  const same = (x: Buffer | undefined, y: Buffer | undefined) =>
    x === undefined || y === undefined ? x === y : x.equals(y)
  return same(a.ca, b.ca) && same(a.cert, b.cert) && same(a.key, b.key)
}
