/**
 * Settings of a command from three sources: a flag beats an environment variable, which beats the file of `--config`. What there is, its
 * defaults and its checks are a zod schema; `--help` is made from it, so it can not be out of date. A variable or a key of the file that is
 * empty counts as not given: that is what templates write for "none".
 *
 * `meta` of a field: `title` what `--help` shows as value (default FILE), `description`, `alias` a short flag.
 */
import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import type { z } from 'zod'
import { describeError } from '../errors.ts'
import type { ConfigError } from '../errors.ts'
import { aliasOf, flag, metaOf, parseArguments, refuse, settingsOf, variable } from './command-line.ts'
import type { Command } from './command-line.ts'
import { didYouMean } from './did-you-mean.ts'
import { contradictionIn } from './etcd.ts'
import { wrap } from './wrap.ts'

/**
 * @param argv the arguments after the subcommand
 * @throws ConfigError naming the flag, variable or file and field, and what it must be
 */
export function loadSettings<Schema extends z.ZodObject>(
  command: Command<Schema>,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): z.output<Schema> {
  const values: Record<string, unknown> = {}
  const origins = new Map<string, string>()
  const set = (name: string, value: unknown, origin: string): void => {
    values[name] = value
    origins.set(name, origin)
  }

  const given = parseArguments(command, argv)
  const file = given.get('config')?.value ?? notEmpty(env[variable('config')])
  const settings = settingsOf(command)
  for (const [name, value] of Object.entries(file === undefined ? {} : readFile(file))) {
    const origin = `${file}: ${name}`
    if (!settings.includes(name) && command.others?.includes(name) !== true)
      throw refuse(`${origin}: there is no such setting${didYouMean(name, settings)}`)
    if (settings.includes(name) && value !== null && value !== '') set(name, value, origin)
  }
  for (const name of settings) {
    const value = notEmpty(env[variable(name)])
    if (value !== undefined) set(name, value, variable(name))
  }
  for (const [name, { value, origin }] of given) if (name !== 'config') set(name, value, origin)

  const result = command.schema.safeParse(values)
  if (!result.success) throw invalid(result.error, origins, values)
  const contradiction = contradictionIn(result.data)
  if (contradiction !== undefined) throw refuse(contradiction)
  return result.data
}

/** The flags as `--help` shows them; of a command with `flagsOnly`, those first. */
export function describeFlags(command: Command<z.ZodObject>): string {
  const row = (name: string): [string, string] => {
    const { title = 'FILE', description = '' } = metaOf(command, name)
    const byDefault = defaultOf(command, name)
    const names = [aliasOf(command, name), flag(name)].filter((each) => each !== undefined).join(', ')
    return [`${names} ${title}`, byDefault === '' ? description : `${description} (default: ${byDefault})`]
  }
  const rows: [string, string][] = [
    ...(command.flagsOnly ?? []).map(row),
    ['--config FILE', 'YAML file with the settings below in camelCase, e.g. etcdEndpoints'],
    ...settingsOf(command).map(row),
  ]
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${wrap(right, width + 2)}`).join('\n')
}

function defaultOf({ schema }: Command<z.ZodObject>, name: string): string {
  const field: z.ZodType = schema.shape[name]
  const { data } = field.safeParse(undefined)
  if (Array.isArray(data)) return data.join(',')
  return typeof data === 'string' || typeof data === 'number' ? String(data) : ''
}

function notEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

function readFile(file: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = parseYaml(readFileSync(file, 'utf8'))
  } catch (error) {
    throw refuse(`--config ${file}: ${describeError(error)}`, error)
  }
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw refuse(`--config ${file}: must hold a YAML mapping of settings`)
  return { ...value }
}

function invalid(
  error: z.ZodError,
  origins: ReadonlyMap<string, string>,
  values: Readonly<Record<string, unknown>>,
): ConfigError {
  const lines = error.issues.map((issue) => {
    const name = String(issue.path[0])
    return `${origins.get(name) ?? flag(name)}: ${JSON.stringify(values[name])}: ${issue.message}`
  })
  return refuse(lines.length === 1 ? lines.join('') : `these settings are wrong:\n  ${lines.join('\n  ')}`, error)
}
