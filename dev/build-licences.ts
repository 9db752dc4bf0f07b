/** The licence texts of the packages inside a bundle, which their licences ask to be passed on. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { z } from 'zod'

import { checkout } from './tools/catalogue.ts'

const manifestSchema = z.object({ name: z.string(), version: z.string(), license: z.string().optional() })

/** `inputs` are the source files of the bundle, relative to the checkout. */
export function licencesOf(inputs: readonly string[]): string {
  const directories = new Set<string>()
  for (const input of inputs) {
    const directory = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]
    if (directory !== undefined) directories.add(directory)
  }
  return [...directories].sort().map(licenceOf).join('\n')
}

function licenceOf(directory: string): string {
  const root = join(checkout, directory)
  const { name, version, license } = manifestSchema.parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
  const files = existsSync(root) ? readdirSync(root).filter((file) => /^(licen[cs]e|notice)/i.test(file)) : []
  const texts = files.map((file) => readFileSync(join(root, file), 'utf8').trim())
  return [`==== ${name} ${version} (${license ?? 'see below'})`, ...texts, ''].join('\n')
}
