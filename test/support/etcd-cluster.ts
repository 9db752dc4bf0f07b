/**
 * An etcd of three members whose links can be cut: each member advertises a proxy to its peers. A link has two directions of connections, and
 * either carries raft messages both ways, so `isolate` looks at who opened a connection (rafthttp says it in `X-Server-From`).
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../dev/control-plane/free-port.ts'
import { supervise, untilReady } from '../../dev/supervised-process.ts'
import { findTool } from '../../dev/tools/find.ts'

const MEMBERS = ['a', 'b', 'c'] as const
export type MemberName = (typeof MEMBERS)[number]

export interface Member {
  /** For clients; nothing happens to this way. */
  readonly endpoint: string
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  resume(): void
}

export interface EtcdCluster {
  readonly members: Readonly<Record<MemberName, Member>>
  /** No peer hears this member, and it hears none. */
  isolate(name: MemberName): void
  /** All links work again. */
  heal(): void
  stop(): Promise<void>
}

interface Link {
  readonly to: MemberName
  /** Known with the first request. */
  from: string | undefined
  readonly sockets: readonly [Socket, Socket]
}

export async function startEtcdCluster(): Promise<EtcdCluster> {
  const server = await findTool('etcd-3.7')
  const state = mkdtempSync(join(tmpdir(), 'grpc-etcd-cluster-'))
  const links = new Set<Link>()
  let isolated: MemberName | undefined
  const ids = new Map<MemberName, string>()

  const cutOff = ({ to, from }: Link): boolean =>
    isolated !== undefined && (to === isolated || from === ids.get(isolated))
  const cut = (link: Link): void => {
    links.delete(link)
    for (const socket of link.sockets) socket.destroy()
  }

  function startProxy(to: MemberName, realPort: number): Server {
    return createServer((client) => {
      const peer = connect(realPort, '127.0.0.1')
      const link: Link = { to, from: undefined, sockets: [client, peer] }
      links.add(link)
      for (const socket of link.sockets) {
        socket.on('error', () => cut(link))
        socket.on('close', () => cut(link))
      }
      client.on('data', (chunk: Buffer) => {
        link.from ??= /^X-Server-From: ([0-9a-f]+)\r$/im.exec(chunk.toString('latin1'))?.[1]
        if (cutOff(link)) cut(link)
        else peer.write(chunk)
      })
      peer.on('data', (chunk) => client.write(chunk))
    })
  }

  const ports = await Promise.all(
    MEMBERS.map(async (name) => ({ name, client: await freePort(), peer: await freePort(), proxy: await freePort() })),
  )
  const proxies = await Promise.all(
    ports.map(async ({ name, peer, proxy }) => {
      const listener = startProxy(name, peer).listen(proxy, '127.0.0.1')
      await once(listener, 'listening')
      return listener
    }),
  )
  const initialCluster = ports.map(({ name, proxy }) => `${name}=http://127.0.0.1:${proxy}`).join(',')
  const processes = ports.map(({ name, client, peer, proxy }) =>
    supervise({
      command: server,
      args: [
        `--name=${name}`,
        `--data-dir=${join(state, name)}`,
        `--listen-client-urls=http://127.0.0.1:${client}`,
        `--advertise-client-urls=http://127.0.0.1:${client}`,
        `--listen-peer-urls=http://127.0.0.1:${peer}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${proxy}`,
        `--initial-cluster=${initialCluster}`,
        '--heartbeat-interval=50',
        '--election-timeout=500',
        '--log-level=warn',
      ],
      logFile: join(state, `${name}.log`),
      removeOnLoss: state,
    }),
  )
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map((child) => child.stop(2_000)))
    for (const link of links) cut(link)
    for (const proxy of proxies) proxy.close()
    rmSync(state, { recursive: true, force: true })
  }

  async function member(index: number): Promise<Member> {
    const [port, child] = [ports[index], processes[index]]
    if (port === undefined || child === undefined) throw new Error(`no member ${index}`)
    const endpoint = `http://127.0.0.1:${port.client}`
    await untilReady(child, async () => (await fetch(`${endpoint}/health`).catch(() => undefined))?.ok === true)
    ids.set(port.name, await idOf(endpoint))
    return { endpoint, pause: () => child.signal('SIGSTOP'), resume: () => child.signal('SIGCONT') }
  }
  try {
    const [a, b, c] = await Promise.all([member(0), member(1), member(2)])
    return {
      members: { a, b, c },
      isolate(name) {
        isolated = name
        for (const link of links) if (cutOff(link)) cut(link)
      },
      heal() {
        isolated = undefined
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A member's ID in hexadecimal, as raft's messages carry it. */
async function idOf(endpoint: string): Promise<string> {
  const metrics = await (await fetch(`${endpoint}/metrics`)).text()
  const id = /^etcd_server_id\{server_id="([0-9a-f]+)"\}/m.exec(metrics)?.[1]
  if (id === undefined) throw new Error(`${endpoint} does not tell its ID`)
  return id
}
