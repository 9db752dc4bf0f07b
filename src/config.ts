/**
 * The operator's configuration: one zod schema, three sources (flag beats environment variable beats file), every default. The
 * `--help` text is made from the schema, so it can not be out of date.
 */
import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { ConfigError, describeError } from './errors.ts'

const path = z.string().min(1)
const segment = '[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?'

const endpoints = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(',').map((part) => part.trim()))])
  .pipe(
    z
      .array(z.string().regex(/^https?:\/\/[^/@\s]+:\d{1,5}\/?$/, 'must be http://host:port or https://host:port'))
      .min(1),
  )

const schema = z.strictObject({
  etcdEndpoints: endpoints
    .default(['http://127.0.0.1:2379'])
    .meta({ title: 'URLS', description: 'etcd servers, comma-separated' }),
  etcdCaFile: path.optional().meta({ description: 'CA that signed the servers’ certificates (PEM)' }),
  etcdCertFile: path.optional().meta({ description: 'client certificate (PEM)' }),
  etcdKeyFile: path.optional().meta({ description: 'key of the client certificate (PEM)' }),
  etcdServerName: z
    .string()
    .min(1)
    .optional()
    .meta({ title: 'NAME', description: 'name to expect in the servers’ certificates' }),
  etcdUsername: z.string().min(1).optional().meta({ title: 'NAME', description: 'etcd user' }),
  etcdPasswordFile: path.optional().meta({ description: 'file that holds the user’s password' }),
  etcdRequestTimeoutSeconds: z.coerce
    .number({ error: 'must be a number of seconds from 1 to 60' })
    .min(1, 'must be a number of seconds from 1 to 60')
    .max(60, 'must be a number of seconds from 1 to 60')
    .default(5)
    .meta({ title: 'SECONDS', description: 'deadline of one etcd request' }),
  kubeconfig: path
    .optional()
    .meta({ description: 'kubeconfig (default: $KUBECONFIG, else in-cluster, else the user’s file)' }),
  context: z.string().min(1).optional().meta({ title: 'NAME', description: 'context of the kubeconfig' }),
  operatorName: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label: a-z, 0-9 and "-", at most 63 characters')
    .default('default')
    .meta({ title: 'NAME', description: 'operators under different names share one etcd' }),
  keyPrefix: z
    .string()
    .regex(new RegExp(`^(${segment}/)*$`), 'must be empty or segments that each end in "/", e.g. "grpc/"')
    .default('')
    .meta({ title: 'PREFIX', description: 'put before every target, e.g. "grpc/"' }),
  statePrefix: z
    .string()
    .regex(new RegExp(`^_(${segment}/)+$`), 'must start with "_" and end with "/", e.g. "_grpcetcd/default/"')
    .optional()
    .meta({
      title: 'PREFIX',
      description: 'where the operator keeps its own records (default: _grpcetcd/<operator-name>/)',
    }),
  electionTtlSeconds: z.coerce
    .number({ error: 'must be a whole number of seconds from 2 to 60' })
    .int('must be a whole number of seconds from 2 to 60')
    .min(2, 'must be a whole number of seconds from 2 to 60')
    .max(60, 'must be a whole number of seconds from 2 to 60')
    .default(5)
    .meta({ title: 'SECONDS', description: 'a replica that is silent this long no longer leads' }),
  metricsAddress: z
    .string()
    .regex(
      /^(|[0-9.]+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/,
      'must be host:port or :port; port 0 takes a free one',
    )
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'the port must be at most 65535')
    .default(':8080')
    .meta({
      title: 'ADDRESS',
      description: 'where /metrics, /healthz and /readyz answer; port 0 takes a free one and logs it',
    }),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .meta({ title: 'LEVEL', description: 'log level' }),
  logFormat: z
    .enum(['auto', 'json', 'pretty'])
    .default('auto')
    .meta({ title: 'FORMAT', description: 'auto: pretty on a terminal, JSON elsewhere' }),
})

type Settings = z.infer<typeof schema>
export type Config = Readonly<Omit<Settings, 'statePrefix'>> & { readonly statePrefix: string }
type Name = keyof typeof schema.shape

/** Settings that are of no use one without the other. */
const TOGETHER = [
  ['etcdCertFile', 'etcdKeyFile'],
  ['etcdUsername', 'etcdPasswordFile'],
] as const

const NAMES: readonly Name[] = schema.keyof().options

/**
 * @param argv the arguments after the subcommand
 * @throws ConfigError naming the flag, variable or file and field, and what it must be
 */
export function loadConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const flags = parseFlags(argv)
  const file = flags.get('config') ?? env[variable('config')]
  const values: Record<string, unknown> = file === undefined ? {} : readFile(file)
  const origins = new Map<string, string>(Object.keys(values).map((name) => [name, `${file}: ${name}`]))
  for (const name of NAMES) {
    const value = env[variable(name)]
    if (value !== undefined) set(name, value, variable(name))
  }
  for (const [name, value] of flags) if (name !== 'config') set(name, value, flag(name))

  function set(name: string, value: string, origin: string): void {
    values[name] = value
    origins.set(name, origin)
  }

  const result = schema.safeParse(values)
  if (!result.success) throw invalid(result.error, origins, values)
  for (const [one, other] of TOGETHER) {
    if ((result.data[one] === undefined) !== (result.data[other] === undefined)) {
      throw refuse('configuration', `${flag(one)} and ${flag(other)} go together: give both or none`)
    }
  }
  return Object.freeze({
    ...result.data,
    statePrefix: result.data.statePrefix ?? `_grpcetcd/${result.data.operatorName}/`,
  })
}

/** The settings as `--help` shows them. */
export function describeSettings(): string {
  const rows: [string, string][] = [['--config FILE', 'YAML file with these settings in camelCase, e.g. etcdEndpoints']]
  for (const name of NAMES) {
    const field = schema.shape[name]
    const { title = 'FILE', description = '' } = field.meta() ?? {}
    const byDefault = defaultOf(name)
    rows.push([`${flag(name)} ${title}`, byDefault === '' ? description : `${description} (default: ${byDefault})`])
  }
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')
}

function defaultOf(name: Name): string {
  const result = schema.shape[name].safeParse(undefined)
  return result.success && result.data !== undefined ? String(result.data) : ''
}

/** `--flag value` and `--flag=value`; every flag takes a value. */
function parseFlags(argv: readonly string[]): ReadonlyMap<string, string> {
  const known = new Map<string, string>([
    ['--config', 'config'],
    ...NAMES.map((name): [string, string] => [flag(name), name]),
  ])
  const flags = new Map<string, string>()
  for (let i = 0; i < argv.length; i += 1) {
    const argument = argv[i] ?? ''
    const [given, inline] = splitOnce(argument)
    const name = known.get(given)
    if (name === undefined)
      throw refuse(
        given,
        `there is no such setting${suggestion(given, [...known.keys()])}; see grpc-etcd operator --help`,
      )
    const value = inline ?? argv[(i += 1)]
    if (value === undefined || (inline === undefined && value.startsWith('--'))) throw refuse(given, 'needs a value')
    flags.set(name, value)
  }
  return flags
}

function splitOnce(argument: string): readonly [string, string?] {
  const at = argument.indexOf('=')
  return at < 0 ? [argument] : [argument.slice(0, at), argument.slice(at + 1)]
}

function suggestion(given: string, known: readonly string[]): string {
  const near = known.find(
    (flag) =>
      flag.startsWith(given) || given.startsWith(flag) || flag.replaceAll('-', '') === given.replaceAll('-', ''),
  )
  return near === undefined ? '' : `; did you mean ${near}?`
}

function readFile(file: string): Record<string, unknown> {
  let value: unknown
  try {
    value = parseYaml(readFileSync(file, 'utf8'))
  } catch (error) {
    throw refuse(`--config ${file}`, describeError(error), error)
  }
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw refuse(`--config ${file}`, 'must hold a YAML mapping of settings')
  return { ...value }
}

function invalid(
  error: z.ZodError,
  origins: ReadonlyMap<string, string>,
  values: Readonly<Record<string, unknown>>,
): ConfigError {
  const lines = error.issues.map((issue) => {
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => `${origins.get(key) ?? key}: there is no such setting`).join('\n')
    const name = String(issue.path[0])
    const origin = origins.get(name) ?? flag(name)
    return `${origin}: ${JSON.stringify(values[name])}: ${issue.message}`
  })
  const list = lines.length === 1 ? lines.join() : `\n  ${lines.join('\n  ')}`
  return refuse('configuration', list, error)
}

function refuse(what: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError(`${what}: ${why}`, { code: 'config', target: what, cause })
}

function flag(name: string): string {
  return `--${kebab(name)}`
}

function variable(name: string): string {
  return `GRPC_ETCD_${kebab(name).toUpperCase().replaceAll('-', '_')}`
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
