/**
 * Where a tool is: `KUBEBUILDER_ASSETS`, else the cache, else built by `go` into the cache. The cache lies outside the checkout and
 * is keyed by everything a build depends on, so a fresh clone builds nothing twice and a changed pin never runs an old program.
 */
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

import { supervise } from '../supervised-process.ts'
import { checkout, tools, type Tool, type ToolName } from './catalogue.ts'
import { withLock } from './lock.ts'
import { formatSeconds, startProgress } from './progress.ts'

/** What envtest ships; a directory without these is not a set of assets. */
const ASSETS = ['kube-apiserver', 'etcd', 'kubectl']

let queue: Promise<unknown> = Promise.resolve()

/**
 * Path of the built program; builds it when it is not there yet, which may take minutes and is shown on standard error.
 * One at a time: a compiler uses all cores already, and two counting lines would fight for the terminal.
 */
export async function findTool(name: ToolName): Promise<string> {
  const tool: Tool = tools[name]
  const ready = fromAssets(tool)
  if (ready !== undefined) return ready
  const built = queue.then(async () => fromCacheOrBuild(tool))
  queue = built.catch(() => undefined)
  return built
}

function fromAssets(tool: Tool): string | undefined {
  const directory = tool.assets === undefined ? undefined : process.env[tool.assets]
  if (directory === undefined || directory === '') return undefined
  const missing = ASSETS.filter((name) => !isExecutable(join(directory, name)))
  if (missing.length > 0) {
    throw new Error(`KUBEBUILDER_ASSETS=${directory} has no ${missing.join(', ')}; complete it or unset the variable`)
  }
  const path = join(directory, tool.binary)
  return isExecutable(path) ? path : undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function fromCacheOrBuild(tool: Tool): Promise<string> {
  const version = versionOf(tool)
  const flags = `-s -w ${tool.ldflags?.(version) ?? ''}`.trim()
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache')
  const directory = join(cache, 'grpc-etcd-operator', `${tool.module}-${keyOf(tool, flags)}`)
  const path = join(directory, tool.binary)
  if (isExecutable(path)) return path

  const subject = `tools     ${tool.binary} ${version}`.trimEnd()
  const cost = `usually ${formatSeconds(tool.firstBuildSeconds)} on 2 cores, ${tool.megabytes} MB; once, kept in ${directory}`
  let progress = undefined as ReturnType<typeof startProgress> | undefined
  await withLock(
    `${path}.lock`,
    () => (progress = startProgress(subject, 'is being built by another process')),
    async () => {
      if (isExecutable(path)) return progress?.done('ready')
      progress?.done('the other process gave up')
      progress = startProgress(subject, `building with go (${cost})`)
      try {
        await build(tool, flags, directory)
      } catch (error) {
        progress.failed('failed after %s')
        throw error
      }
      progress.done('built in %s')
    },
  )
  return path
}

/** The version pinned in go.mod. */
function versionOf(tool: Tool): string {
  if (tool.versionOf === undefined) return ''
  const goMod = readFileSync(join(checkout, tool.directories[0], 'go.mod'), 'utf8')
  const line = goMod.split('\n').find((text) =>
    text
      .replace(/^require/, '')
      .trim()
      .startsWith(`${tool.versionOf} v`),
  )
  if (line === undefined) throw new Error(`${tool.directories[0]}/go.mod does not require ${tool.versionOf}`)
  return /\sv\S+/.exec(line)?.[0].trim() ?? ''
}

function keyOf(tool: Tool, flags: string): string {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${flags}\0`)
  for (const directory of tool.directories) {
    for (const file of readdirSync(join(checkout, directory)).sort()) {
      if (/^go\.(mod|sum)$|\.go$/.test(file))
        hash.update(`${file}\0`).update(readFileSync(join(checkout, directory, file)))
    }
  }
  return hash.digest('hex').slice(0, 12)
}

async function build(tool: Tool, flags: string, directory: string): Promise<void> {
  const temporary = join(directory, `.building-${tool.binary}-${process.pid}`)
  mkdirSync(temporary, { recursive: true })
  const output = join(temporary, tool.binary)
  const environment: NodeJS.ProcessEnv = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' }
  delete environment['GOOS']
  delete environment['GOARCH']
  try {
    const child = supervise({
      command: 'go',
      args: ['build', '-mod=readonly', '-buildvcs=false', '-trimpath', '-ldflags', flags, '-o', output, tool.package],
      cwd: join(checkout, tool.directories[0]),
      env: environment,
      logFile: join(temporary, 'log'),
      removeOnLoss: temporary,
    })
    const { code } = await child.exited()
    if (code === 127) {
      throw new Error(`${tool.binary} is built from source and needs Go 1.26 or newer on the PATH: https://go.dev/dl`)
    }
    if (code !== 0 || !existsSync(output)) throw new Error(`go build ${tool.package} failed:\n${await child.logTail()}`)
    renameSync(output, join(directory, tool.binary))
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}
