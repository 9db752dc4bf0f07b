/** The code in docs/guide, for the tests that keep it true. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { checkout } from '../../dev/tools/catalogue.ts'

export const GUIDE = 'docs/guide/use-it-from-nodejs.md'

export function readGuide(): string {
  return readFileSync(join(checkout, GUIDE), 'utf8')
}

/** The fenced blocks of one language. */
export function blocksOf(markdown: string, language: string): readonly string[] {
  return [...markdown.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].flatMap(([, of, text = '']) =>
    of === language ? [text] : [],
  )
}

/** A block is a piece of an example when an example has exactly these lines, one after the other. */
export function isPieceOfExample(block: string): boolean {
  return globSync(join(checkout, 'examples/naming/*.ts')).some((file) =>
    `\n${readFileSync(file, 'utf8')}`.includes(`\n${block}`),
  )
}

export interface ConsoleStep {
  /** What stands after `$ `. */
  readonly command: string
  /** The lines below it. */
  readonly output: string
}

export function stepsOf(block: string): readonly ConsoleStep[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((step) => {
      const [command = '', ...output] = step.trimEnd().split('\n')
      return { command, output: output.join('\n') }
    })
}
