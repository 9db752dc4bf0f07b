/**
 * What a command takes and how it is typed: `--flag value`, `--flag=value` and places, in any order; `--` ends the flags. Every flag takes
 * a value. Here are only words and their places: what they mean is checked in `settings.ts`.
 */
import type { z } from 'zod'
import { ConfigError } from '../errors.ts'
import { hint } from './did-you-mean.ts'

export interface Command<Schema extends z.ZodObject> {
  /** For texts: `operator`. */
  readonly name: string
  readonly schema: Schema
  /** Fields that are given by their place on the command line, in this order; all are needed. */
  readonly places?: readonly string[]
  /** Fields that are flags only: they say what to do once, not how things are set up. */
  readonly flagsOnly?: readonly string[]
  /** Settings of other commands, passed over in the file: one file serves all. */
  readonly others?: readonly string[]
}

/** The names that may come from every source. */
export function settingsOf({ schema, places = [], flagsOnly = [] }: Command<z.ZodObject>): readonly string[] {
  return Object.keys(schema.shape).filter((name) => !places.includes(name) && !flagsOnly.includes(name))
}

export function metaOf({ schema }: Command<z.ZodObject>, name: string): z.GlobalMeta {
  const field: z.ZodType = schema.shape[name]
  return field.meta() ?? {}
}

export function aliasOf(command: Command<z.ZodObject>, name: string): string | undefined {
  const { alias } = metaOf(command, name)
  return typeof alias === 'string' ? alias : undefined
}

export interface Given {
  readonly value: string
  /** As a person finds it on the command line: `--etcd-endpoints`, `TARGET`. */
  readonly origin: string
}

/** Whether `--help` or `-h` is there, as neither the value of a flag nor a place. */
export function asksForHelp(command: Command<z.ZodObject>, argv: readonly string[]): boolean {
  const flags = flagsOf(command)
  for (let i = 0; i < argv.length; i += 1) {
    const argument = argv[i] ?? ''
    if (argument === '--') return false
    if (argument === '--help' || argument === '-h') return true
    if (flags.has(argument) && argv[i + 1]?.startsWith('--') !== true) i += 1
  }
  return false
}

/** @throws ConfigError for a flag that there is not, a value or place that is missing, and one place too many */
export function parseArguments(command: Command<z.ZodObject>, argv: readonly string[]): ReadonlyMap<string, Given> {
  const { name: commandName, places = [] } = command
  const flags = flagsOf(command)
  const given = new Map<string, Given>()
  const placed: string[] = []
  for (let i = 0; i < argv.length; i += 1) {
    const argument = argv[i] ?? ''
    if (argument === '--') {
      placed.push(...argv.slice(i + 1))
      break
    }
    if (!argument.startsWith('-') && places.length > 0) {
      placed.push(argument)
      continue
    }
    const [origin, inline] = splitOnce(argument)
    const name = flags.get(origin)
    if (name === undefined) {
      const help = hint(origin, [...flags.keys()], `grpc-etcd ${commandName} --help`)
      throw refuse(`${origin}: there is no such setting${help}`)
    }
    const value = inline ?? argv[(i += 1)]
    if (value === undefined || (inline === undefined && value.startsWith('--')))
      throw refuse(`${origin}: needs a value`)
    given.set(name, { value, origin })
  }
  if (placed.length !== places.length) throw misplaced(command, placed)
  for (const [index, name] of places.entries()) given.set(name, { value: placed[index] ?? '', origin: place(name) })
  return given
}

/** By what is typed: the name of the field. */
function flagsOf(command: Command<z.ZodObject>): ReadonlyMap<string, string> {
  const flags = new Map([['--config', 'config']])
  for (const name of [...(command.flagsOnly ?? []), ...settingsOf(command)]) {
    flags.set(flag(name), name)
    const alias = aliasOf(command, name)
    if (alias !== undefined) flags.set(alias, name)
  }
  return flags
}

function misplaced({ name, places = [] }: Command<z.ZodObject>, placed: readonly string[]): ConfigError {
  const missing = places.slice(placed.length).map(place)
  const what =
    missing.length > 0
      ? `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`
      : `${JSON.stringify(placed[places.length])} is one argument too many`
  return refuse(
    `${what}\nUsage: grpc-etcd ${[name, ...places.map(place)].join(' ')} [flags]; see grpc-etcd ${name} --help`,
  )
}

function splitOnce(argument: string): readonly [string, string?] {
  const at = argument.indexOf('=')
  return at < 0 ? [argument] : [argument.slice(0, at), argument.slice(at + 1)]
}

export function refuse(message: string, cause?: unknown): ConfigError {
  return new ConfigError(message, { code: 'config', target: 'configuration', cause })
}

export function flag(name: string): string {
  return `--${kebab(name)}`
}

export function variable(name: string): string {
  return `GRPC_ETCD_${kebab(name).toUpperCase().replaceAll('-', '_')}`
}

/** How a place is called in texts: `TARGET`. */
function place(name: string): string {
  return name.toUpperCase()
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
