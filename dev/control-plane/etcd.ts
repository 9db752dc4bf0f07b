/**
 * An etcd of one member on 127.0.0.1, as in production but for its size: default timings, fsync on. Its data lives in a temporary
 * directory that goes with it, unless the caller brings one.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { get as getTls } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { supervise, untilReady, type SupervisedProcess } from '../supervised-process.ts'
import { findTool } from '../tools/find.ts'
import type { Certificates } from './certificates.ts'
import { freePort } from './free-port.ts'

const run = promisify(execFile)

export type EtcdVersion = '3.5' | '3.6' | '3.7'

export interface EtcdOptions {
  /** Default `3.7`. */
  readonly version?: EtcdVersion
  /** Kept when the server stops; absent: a temporary directory. */
  readonly dataDir?: string
  /** Default: a free one. */
  readonly clientPort?: number
  /** Serve TLS with these, and demand a client certificate of the same authority. */
  readonly tls?: Certificates
  readonly extraArgs?: readonly string[]
}

export interface Etcd {
  readonly version: EtcdVersion
  /** `http://127.0.0.1:<port>`; `https://…` with TLS. */
  readonly endpoint: string
  readonly port: number
  readonly dataDir: string
  /** Of the process that runs now. */
  readonly pid: number
  /** Ends the server and removes a temporary data directory. */
  readonly stop: () => Promise<void>
  /** SIGKILL; data and port are kept for `restart`. */
  readonly kill: () => Promise<void>
  /** The same server again, same port, same data; stops it first if it runs. */
  readonly restart: () => Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  readonly pause: () => void
  readonly resume: () => void
  /** Runs etcdctl of the same version against this server; returns its standard output. */
  readonly etcdctl: (...args: string[]) => Promise<string>
}

export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const version = options.version ?? '3.7'
  const [server, etcdctl] = await Promise.all([findTool(`etcd-${version}`), findTool(`etcdctl-${version}`)])
  const port = options.clientPort ?? (await freePort())
  const endpoint = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-dev-etcd-'))
  const dataDir = options.dataDir ?? join(state, 'data')
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })

  const start = async (): Promise<SupervisedProcess> => {
    const child = supervise({
      command: server,
      // The peer listener is never used by one member alone: any port will do, and it need not be the advertised one.
      args: [
        '--name=default',
        `--data-dir=${dataDir}`,
        `--listen-client-urls=${endpoint}`,
        `--advertise-client-urls=${endpoint}`,
        '--listen-peer-urls=http://127.0.0.1:0',
        '--initial-advertise-peer-urls=http://127.0.0.1:1',
        '--initial-cluster=default=http://127.0.0.1:1',
        '--log-level=warn',
        ...tlsServerArgs(options.tls),
        ...(options.extraArgs ?? []),
      ],
      logFile: join(state, 'etcd.log'),
      removeOnLoss: state,
    })
    await untilReady(child, async () => isHealthy(`${endpoint}/health`, options.tls))
    return child
  }

  let child: SupervisedProcess
  try {
    child = await start()
  } catch (error) {
    rmSync(state, { recursive: true, force: true })
    throw error
  }
  return {
    version,
    endpoint,
    port,
    dataDir,
    get pid() {
      return child.pid
    },
    async stop() {
      await child.stop()
      rmSync(state, { recursive: true, force: true, maxRetries: 5 })
    },
    async kill() {
      child.signal('SIGKILL')
      await child.exited()
    },
    async restart() {
      await child.stop()
      child = await start()
    },
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    async etcdctl(...args) {
      const { stdout } = await run(etcdctl, [`--endpoints=${endpoint}`, ...tlsClientArgs(options.tls), ...args], {
        maxBuffer: 256 * 1024 * 1024,
      })
      return stdout
    },
  }
}

function tlsServerArgs(tls: Certificates | undefined): string[] {
  if (tls === undefined) return []
  const files = [
    `--cert-file=${tls.serverCertFile}`,
    `--key-file=${tls.serverKeyFile}`,
    `--trusted-ca-file=${tls.caFile}`,
  ]
  return [...files, '--client-cert-auth']
}

function tlsClientArgs(tls: Certificates | undefined): string[] {
  if (tls === undefined) return []
  return [`--cacert=${tls.caFile}`, `--cert=${tls.clientCertFile}`, `--key=${tls.clientKeyFile}`]
}

async function isHealthy(url: string, tls: Certificates | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { timeout: 1000, agent: false as const }
    const answer = (response: IncomingMessage): void => {
      response.resume()
      resolve(response.statusCode === 200)
    }
    const request =
      tls === undefined ? get(url, options, answer) : getTls(url, { ...options, ...readClient(tls) }, answer)
    request.once('timeout', () => request.destroy(new Error('timeout')))
    request.once('error', () => resolve(false))
  })
}

function readClient(tls: Certificates): { ca: Buffer; cert: Buffer; key: Buffer } {
  return { ca: readFileSync(tls.caFile), cert: readFileSync(tls.clientCertFile), key: readFileSync(tls.clientKeyFile) }
}
