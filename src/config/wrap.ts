/** Text that fits a terminal of 80 columns, as `--help` prints it. Pure. */

const COLUMNS = 80

/** Breaks at spaces; every line but the first begins with `indent` spaces, which the first one has before it already. */
export function wrap(text: string, indent = 0): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line === undefined || indent + line.length + 1 + word.length > COLUMNS) lines.push(word)
    else lines[lines.length - 1] = `${line} ${word}`
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}
