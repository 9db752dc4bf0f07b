/** What a person may have meant who typed a word that is not known: flags and commands. Pure. */

/** Of anything shorter every short flag would be near. */
const SHORTEST = 3

/** `; did you mean --etcd-endpoints?`, or nothing when no known word is near. */
export function didYouMean(given: string, known: readonly string[]): string {
  const bare = given.replace(/^-+/, '')
  if (bare.length < SHORTEST) return ''
  const [nearest] = known.map((word) => ({ word, edits: edits(given, word) })).sort((a, b) => a.edits - b.edits)
  const isSlip = nearest !== undefined && nearest.edits <= Math.max(2, given.length / 4)
  // etcdctl's --endpoints, --cert and --user are parts of our names.
  const meant = isSlip ? nearest.word : known.find((word) => word.includes(bare))
  return meant === undefined ? '' : `; did you mean ${meant}?`
}

/** How the text about an unknown word ends: what may have been meant, and where the help is. */
export function hint(given: string, known: readonly string[], help: string): string {
  const suggestion = didYouMean(given, known)
  return suggestion === '' ? `; see ${help}` : `${suggestion} See ${help}`
}

/** Levenshtein's distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
