/**
 * Finds and checks the user's configuration of Kubernetes, and reduces it to the one context that is used. What is wrong is
 * named with file, field and way out, before anything connects. Merges several files as kubectl does: the first one wins.
 */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { ConfigError, describeError } from '../errors.ts'
import { isRecord } from './resource.ts'

export type KubeconfigSource =
  | { readonly kind: 'files'; readonly files: readonly string[] }
  /** The service account that Kubernetes mounts into a Pod. */
  | { readonly kind: 'in-cluster' }

/** One context with its cluster and user, every path absolute, every file in it readable. */
export interface SelectedContext {
  readonly context: string
  readonly server: string
  readonly cluster: Fields
  readonly user: Fields
}

type Fields = Readonly<Record<string, unknown>>
type Section = 'clusters' | 'contexts' | 'users'

/** An entry of a section, with the file it came from: its paths are relative to that. */
interface Entry {
  readonly file: string
  readonly where: string
  readonly fields: Fields
}

const TOKEN_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/** The file asked for, else `KUBECONFIG`, else the Pod's own service account, else `~/.kube/config`. */
export function locateKubeconfig(file: string | undefined, env: NodeJS.ProcessEnv): KubeconfigSource {
  if (file !== undefined) return { kind: 'files', files: [resolve(file)] }
  const listed = env['KUBECONFIG']?.split(delimiter).filter((path) => path !== '') ?? []
  if (listed.length > 0) {
    const present = listed.filter((path) => existsSync(path))
    return { kind: 'files', files: (present.length > 0 ? present : listed.slice(0, 1)).map((path) => resolve(path)) }
  }
  if (env['KUBERNETES_SERVICE_HOST'] !== undefined && existsSync(TOKEN_FILE)) return { kind: 'in-cluster' }
  return { kind: 'files', files: [join(homedir(), '.kube', 'config')] }
}

/** Throws ConfigError. `context` absent: the file's `current-context`. */
export function selectContext(files: readonly string[], context: string | undefined): SelectedContext {
  const documents = files.map((file) => ({ file, document: read(file) }))
  const first = files.join(delimiter)

  const current = context ?? documents.map(({ document }) => document['current-context']).find(isFilled)
  if (!isFilled(current)) throw problem(first, 'current-context', 'is not set; name a context with --context')

  const chosen = find(documents, 'contexts', current, context === undefined ? `${first}: current-context` : '--context')
  const clusterName = chosen.fields['cluster']
  if (!isFilled(clusterName))
    throw problem(chosen.file, `${chosen.where}.cluster`, 'is missing; name an entry of clusters')
  const cluster = find(documents, 'clusters', clusterName, `${chosen.file}: ${chosen.where}.cluster`)
  const userName = chosen.fields['user']
  const user = isFilled(userName)
    ? find(documents, 'users', userName, `${chosen.file}: ${chosen.where}.user`)
    : undefined

  return {
    context: current,
    server: checkServer(cluster),
    cluster: withFiles(cluster, ['certificate-authority'], ['certificate-authority-data']),
    user:
      user === undefined
        ? {}
        : withFiles(
            user,
            ['client-certificate', 'client-key', 'tokenFile'],
            ['client-certificate-data', 'client-key-data'],
          ),
  }
}

interface Document {
  readonly file: string
  readonly document: Fields
}

function read(file: string): Fields {
  let document: unknown
  try {
    document = parse(readFileSync(file, 'utf8'))
  } catch (error) {
    // Not the parser's own message: it quotes the file, which holds credentials.
    const reason = error instanceof Error && 'code' in error ? describeReading(error) : 'is not YAML'
    throw new ConfigError(`kubeconfig ${file} ${reason}; set --kubeconfig or KUBECONFIG to a kubeconfig file`, {
      code: 'kubeconfig',
      target: file,
    })
  }
  if (!isRecord(document))
    throw problem(file, 'the document', 'is not a mapping; it should be a kubeconfig (kind: Config)')
  return document
}

function describeReading(error: Error): string {
  return 'syscall' in error ? `can not be read (${describeError(error)})` : 'is not YAML'
}

/** `named` is the place that names the entry. */
function find(documents: readonly Document[], section: Section, name: string, named: string): Entry {
  const names: string[] = []
  for (const { file, document } of documents) {
    const entries = document[section] ?? []
    if (!Array.isArray(entries)) throw problem(file, section, 'is not a list')
    for (const entry of entries) {
      if (!isRecord(entry) || !isFilled(entry['name'])) continue
      if (entry['name'] !== name) {
        names.push(entry['name'])
        continue
      }
      const where = `${section}[name=${name}].${section.slice(0, -1)}`
      const fields = entry[section.slice(0, -1)] ?? {}
      if (!isRecord(fields)) throw problem(file, where, 'is not a mapping')
      return { file, where, fields }
    }
  }
  const have = names.length === 0 ? `there are no ${section}` : `there are: ${names.join(', ')}`
  throw new ConfigError(`${named} names "${name}", which is not in ${section}; ${have}`, {
    code: 'kubeconfig',
    target: named,
  })
}

function checkServer({ file, where, fields }: Entry): string {
  const server = fields['server']
  const url = isFilled(server) ? URL.parse(server) : null
  if (url?.protocol === 'https:' || url?.protocol === 'http:')
    return `${url.protocol}//${url.host}${url.pathname}`.replace(/\/$/, '')
  throw problem(file, `${where}.server`, 'should be a URL such as https://10.0.0.1:6443')
}

/** The entry with absolute paths, after a look into each file and each embedded one. */
function withFiles({ file, where, fields }: Entry, paths: readonly string[], embedded: readonly string[]): Fields {
  const result: Record<string, unknown> = { ...fields }
  for (const field of paths) {
    const value = fields[field]
    if (value === undefined) continue
    if (!isFilled(value)) throw problem(file, `${where}.${field}`, 'should be the path of a file')
    const path = resolve(dirname(file), value)
    let content: string
    try {
      content = readFileSync(path, 'utf8')
    } catch (error) {
      throw problem(file, `${where}.${field}`, `can not be read: ${describeError(error)}`)
    }
    if (field !== 'tokenFile') checkPem(file, `${where}.${field}`, content)
    result[field] = path
  }
  for (const field of embedded) {
    const value = fields[field]
    if (value === undefined || value === '') continue
    checkPem(file, `${where}.${field}`, isFilled(value) ? Buffer.from(value, 'base64').toString() : '')
  }
  return result
}

function checkPem(file: string, field: string, content: string): void {
  if (!content.includes('-----BEGIN')) throw problem(file, field, 'does not hold PEM (-----BEGIN …)')
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function problem(file: string, field: string, text: string): ConfigError {
  return new ConfigError(`kubeconfig ${file}: ${field} ${text}`, { code: 'kubeconfig', target: `${file}: ${field}` })
}
