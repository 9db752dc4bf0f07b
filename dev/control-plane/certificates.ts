/** A certificate authority with a server's and a client's certificate, made by a small Go program: Node can not sign certificates. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { findTool } from '../tools/find.ts'

const run = promisify(execFile)

/** Paths of PEM files. */
export interface Certificates {
  readonly caFile: string
  /** For 127.0.0.1, ::1 and localhost. */
  readonly serverCertFile: string
  readonly serverKeyFile: string
  readonly clientCertFile: string
  readonly clientKeyFile: string
}

export interface CertificateOptions {
  /** An authority that is already there signs the new certificates, which replace the old ones: a rotation. */
  readonly directory: string
  /** Common name of the client, which etcd takes as the user's name. Default `client`. */
  readonly clientName?: string
  /** Default one day; negative: expired already. */
  readonly validSeconds?: number
}

export async function makeCertificates(options: CertificateOptions): Promise<Certificates> {
  const { directory, clientName = 'client', validSeconds = 86_400 } = options
  await run(await findTool('certificates'), [directory, clientName, String(validSeconds)])
  return {
    caFile: join(directory, 'ca.crt'),
    serverCertFile: join(directory, 'server.crt'),
    serverKeyFile: join(directory, 'server.key'),
    clientCertFile: join(directory, 'client.crt'),
    clientKeyFile: join(directory, 'client.key'),
  }
}
