/** The pages about the library: their code is that of the examples, and their links lead somewhere. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'

import { checkout } from '../../dev/tools/catalogue.ts'
import { blocksOf, GUIDE, isPieceOfExample, readGuide } from '../support/guide.ts'

test('the code in the guide is that of the examples, or stands alone (and is type-checked with the package)', () => {
  const blocks = blocksOf(readGuide(), 'ts')
  assert.ok(blocks.length > 5, 'the blocks were found')
  assert.deepEqual(
    blocks.filter((block) => !isPieceOfExample(block) && !block.startsWith('import ')),
    [],
  )
})

describe('links lead somewhere', () => {
  for (const page of [GUIDE, 'docs/reference/naming.md', 'examples/naming/README.md']) {
    test(page, () => {
      const links = [...read(page).matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link)
      assert.ok(links.length > 0)
      assert.deepEqual(
        links.filter((link) => !leads(page, link)),
        [],
      )
    })
  }
})

function leads(page: string, link: string): boolean {
  if (link.startsWith('https://')) return true
  const [path = '', anchor] = link.split('#')
  const file = path === '' ? page : join(dirname(page), path)
  return existsSync(join(checkout, file)) && (anchor === undefined || anchorsOf(read(file)).has(anchor))
}

/** As GitHub makes them of headings. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = markdown.match(/(?<=^#+ ).+$/gm) ?? []
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

function read(file: string): string {
  return readFileSync(join(checkout, file), 'utf8')
}
