/**
 * `make bench`: the naming library beside Go's, on one etcd in one run. How long from the change of an endpoint to the new list in the hands
 * of the channel, and to a connection to the new address that is ready for calls; how long a list of 10,000 endpoints takes; what they
 * cost in memory. Turns of Go and of ours follow each other, each on a target of its own with the same endpoints, so that neither is busy
 * while the other is measured.
 */
import { EndpointManager, endpointKey, type Update } from 'grpc-etcd-operator/naming'
import { z } from 'zod'

import { startEtcd, type Etcd } from '../dev/control-plane/etcd.ts'
import { freePort } from '../dev/control-plane/free-port.ts'
import { goListTimings, startGoResolver, type GoResolver, type GoResolverOptions } from '../test/support/go-client.ts'
import { NamingChanges } from './naming-changes.ts'
import { printNamingReport, type BySide, type MemoryFigures, type SizeFigures } from './naming-report.ts'
import { MOVING, fixedEndpoints, targetsOf } from './naming-targets.ts'
import { runBench } from './stage.ts'

/** The gap between changes leaves grpc-js time to take a list: 10 ms for 500 endpoints. */
const SIZES = [
  { endpoints: 3, meanGapMs: 12 },
  { endpoints: 500, meanGapMs: 36 },
]
const WARM_UP_TURNS = 1
const TURNS = 10
const CHANGES_PER_TURN = 50

const LISTED = 10_000
const LIST_TURNS = 3
const LIST_WARM_UP = 10
const LISTS_PER_TURN = 15

/** Under a target that is compared with the large one. */
const FEW = 3

const PUTS_PER_TXN = 2_000

const pairSchema = z.tuple([z.number(), z.number()])
const bytesSchema = z.object({ rss: z.number(), heap: z.number() })
const memorySchema = z.object({ base: bytesSchema, resolver: bytesSchema, channel: bytesSchema })

await runBench(async ({ keep, startProgram, until, say }) => {
  say('starting etcd')
  const etcd = keep(await startEtcd())
  const port = await freePort()
  let changes = new NamingChanges(targetsOf(0))
  await startProgram('naming-server.ts', [`--port=${port}`], (line) => changes.connected(line))

  const follow = async ({ endpoints, meanGapMs }: (typeof SIZES)[number]): Promise<SizeFigures> => {
    say(`changing one of ${endpoints} endpoints, ${TURNS} turns of ${CHANGES_PER_TURN} changes each`)
    const targets = targetsOf(endpoints)
    const seen = (changes = new NamingChanges(targets))
    for (const target of Object.values(targets)) await fill(etcd, target, endpoints, port)
    const args = [`--etcd=${etcd.endpoint}`, `--target=${targets.ours}`]
    const ours = await startProgram('naming-resolver.ts', args, (line) => seen.handedOurs(line))
    await withGoResolver({ endpoint: etcd.endpoint, target: targets.go }, async ({ updates }) => {
      await until('both are connected to all endpoints', () => seen.connections >= 2 * endpoints)
      const writer = await startProgram(
        'naming-writer.ts',
        [
          ...args,
          `--target=${targets.go}`,
          `--port=${port}`,
          `--turns=${WARM_UP_TURNS + TURNS}`,
          `--changes=${CHANGES_PER_TURN}`,
          `--mean-gap-ms=${meanGapMs}`,
        ],
        (line) => seen.wrote(line),
      )
      await writer.exited()
      let taken = 0
      await until('all changes came through', () => {
        for (const { atMs, addresses } of updates.slice(taken)) seen.handed('go', atMs, addresses)
        taken = updates.length
        return seen.settled
      })
    })
    await ours.stop()
    return { endpoints, times: { ours: seen.times('ours', WARM_UP_TURNS), go: seen.times('go', WARM_UP_TURNS) } }
  }

  const list = async (): Promise<BySide<readonly number[]>> => {
    say(`listing ${LISTED} endpoints, ${LIST_TURNS} turns of ${LISTS_PER_TURN} lists each`)
    const target = targetsOf(LISTED).ours
    const times = LIST_WARM_UP + LISTS_PER_TURN
    const [ours, go]: [number[], number[]] = [[], []]
    const checked = (all: readonly (readonly [number, number])[]): readonly number[] => {
      for (const [, count] of all) if (count !== LISTED) throw new Error(`a list of ${count} endpoints`)
      return all.slice(LIST_WARM_UP).map(([durationMs]) => durationMs)
    }
    for (let turn = 0; turn < LIST_TURNS; turn++) {
      const lines: (readonly [number, number])[] = []
      const program = await startProgram(
        'naming-list.ts',
        [`--etcd=${etcd.endpoint}`, `--target=${target}`, `--times=${times}`],
        (line) => lines.push(pairSchema.parse(JSON.parse(line))),
      )
      await program.exited()
      ours.push(...checked(lines))
      const timings = await goListTimings({ endpoint: etcd.endpoint, target, times })
      go.push(...checked(timings.map(({ durationMs, endpoints }) => [durationMs, endpoints] as const)))
    }
    return { ours, go }
  }

  const weigh = async (): Promise<MemoryFigures> => {
    say(`weighing ${LISTED} endpoints`)
    await fill(etcd, targetsOf(FEW).ours, FEW, port)
    const target = targetsOf(LISTED).ours
    let ours: MemoryFigures['ours'] | undefined
    const args = [`--etcd=${etcd.endpoint}`, `--target=${target}`]
    const program = await startProgram('naming-memory.ts', args, (line) => {
      ours = memorySchema.parse(JSON.parse(line))
    })
    await program.exited()
    if (ours === undefined) throw new Error('naming-memory.ts told nothing')
    const ofGo = async (resolved: string): Promise<number> =>
      withGoResolver({ endpoint: etcd.endpoint, target: resolved, policy: 'pick_first' }, async (go) =>
        go.residentBytes(),
      )
    return { ours, go: { base: await ofGo(targetsOf(FEW).ours), channel: await ofGo(target) } }
  }

  const withGoResolver = async <T>(
    options: GoResolverOptions,
    use: (resolver: GoResolver) => Promise<T>,
  ): Promise<T> => {
    const resolver = await startGoResolver(options)
    try {
      await until('Go has resolved the target', () => resolver.updates.length > 0)
      return await use(resolver)
    } finally {
      await resolver.stop()
    }
  }

  const sizes: SizeFigures[] = []
  for (const size of SIZES) sizes.push(await follow(size))
  await fill(etcd, targetsOf(LISTED).ours, LISTED, port)
  const listMs = await list()
  printNamingReport({ sizes, listed: LISTED, listMs, memory: await weigh() })
})

async function fill(etcd: Etcd, target: string, count: number, port: number): Promise<void> {
  const manager = new EndpointManager({ hosts: etcd.endpoint }, target)
  const updates = fixedEndpoints(count, port).map((endpoint, index): Update => {
    // The first one is what moves.
    const key = endpointKey(target, index === 0 ? MOVING : endpoint.addr)
    return { op: 'add', key, endpoint }
  })
  for (let at = 0; at < count; at += PUTS_PER_TXN) await manager.update(updates.slice(at, at + PUTS_PER_TXN))
  manager.close()
}
