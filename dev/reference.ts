/**
 * `docs/reference/naming.md`: the public API of `grpc-etcd-operator/naming` on one page. The page can say nothing that the code does not:
 * every signature and every sentence comes from the declarations.
 */
import { mentions, plainComment, type Declaration } from './declarations.ts'

const SECTIONS = { class: 'Classes', function: 'Functions', type: 'Types', const: 'Constants', error: 'Errors' }

/** A member of a class: what is indented by exactly four spaces, up to its semicolon. */
const MEMBER = /(?<doc>^ {4}\/\*\*(?:(?!\*\/)[^])*\*\/\n)?^ {4}(?<text>[^\s/*}][^]*?(?<=^ {4}\S.*);)$/gm
const PROPERTY = /^(?:get |(?:static |abstract |readonly )*\w+\??(?::| =))/

type Link = (text: string) => string

export function referencePage(all: readonly Declaration[]): string {
  const link = linker(all)
  const sections = Object.entries(SECTIONS)
    .map(([kind, title]) => ({ title, members: all.filter((each) => each.kind === kind) }))
    .filter(({ members }) => members.length > 0)
  const contents = sections.map(({ title, members }) => {
    const names = new Set(members.map(({ name }) => link(`\`${name}\``)))
    return `**${title}:** ${[...names].join(' · ')}`
  })
  const parts = [
    '<!-- Generated from the docstrings of src/naming by `npm run gen`. Edit those. -->',
    '# API of `grpc-etcd-operator/naming`',
    'How to use it: [Use it from Node.js](../guide/use-it-from-nodejs.md).',
    ...contents,
    ...sections.flatMap(({ title, members }) => [
      `## ${title}`,
      ...members.flatMap((each, index) => [
        // Overloads share one heading.
        members[index - 1]?.name === each.name ? '' : `### ${each.name}`,
        ...(each.text.includes('class ') ? ofClass(each, link) : [prose(each.doc, link), code(each.text)]),
        footer(each, all, link),
      ]),
    ]),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function footer(each: Declaration, all: readonly Declaration[], link: Link): string {
  const used = all
    .filter(({ name }) => name !== each.name && mentions(each, name))
    .map(({ name }) => link(`\`${name}\``))
  return `${used.length === 0 ? '' : `See ${[...new Set(used)].join(', ')}. `}[Source](../../${each.source})`
}

/** The class with its properties, then each method under its own heading. */
function ofClass({ name, doc, text }: Declaration, link: Link): readonly string[] {
  const bodyAt = text.search(/ \{$/m)
  const members = [...text.slice(bodyAt).matchAll(MEMBER)]
    .map(({ groups = {} }) => ({ doc: groups['doc'] ?? '', text: groups['text'] ?? '' }))
    .filter((member) => !/^(?:#|private |protected )/.test(member.text))
  const properties = members.filter((member) => PROPERTY.test(member.text))
  const methods = members.filter((member) => !PROPERTY.test(member.text))
  const header = text.slice(0, bodyAt)
  const body = properties.map((member) => `${member.doc}    ${member.text}`).join('\n')
  return [
    prose(doc, link),
    code(body === '' ? header : `${header} {\n${body}\n}`),
    ...methods.flatMap((method) => [
      `#### ${methodTitle(name, method.text)}`,
      prose(plainComment(method.doc), link),
      code(method.text.replaceAll(/^ {4}/gm, '')),
    ]),
  ]
}

function methodTitle(owner: string, text: string): string {
  const name = /^(?:static |abstract )*(\[[\w.]+\]|\w+)/.exec(text)?.[1] ?? text
  if (name === 'constructor') return `new ${owner}`
  return name.startsWith('[') ? `${owner}${name}` : `${owner}.${name}`
}

/** Docstring → Markdown: tags become bold words, names of the API become links. */
function prose(doc: string, link: Link): string {
  const tagged = doc
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
    .replaceAll(/^@param (\w+)(?: -)?/gm, '\n`$1`:')
    .replaceAll(/^@returns?\b/gm, '\n**Returns**')
    .replaceAll(/^@throws\b/gm, '\n**Throws**')
    .replaceAll(/^@(\w+)/gm, '\n**$1**')
  return link(tagged.trim()).replaceAll(/\n{3,}/g, '\n\n')
}

/** Names in backticks, and names of errors, which docstrings write without. */
function linker(all: readonly Declaration[]): Link {
  const names = new Set(all.map(({ name }) => name))
  return (text) =>
    text.replaceAll(/`(\w+)`|\b(\w+Error)\b/g, (whole: string, quoted?: string, bare?: string) => {
      const name = quoted ?? bare ?? ''
      return names.has(name) ? `[\`${name}\`](#${name.toLowerCase()})` : whole
    })
}

function code(text: string): string {
  return `\`\`\`ts\n${text}\n\`\`\``
}
