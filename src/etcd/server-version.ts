/** Which etcd servers are old enough to have bugs that reach us. Pure. */

/** By minor version of etcd 3: the first patch without them. Before, progress requests were answered too early and nested Txns checked wrongly under RBAC. */
const OLDEST_PATCH: ReadonlyMap<number, number> = new Map([
  [5, 30],
  [6, 11],
])

export const NEEDED_ETCD = '3.5.30, 3.6.11 or newer'

/** @param version as the server reports it, e.g. `3.5.35`; what can not be read as one counts as new */
export function isTooOld(version: string): boolean {
  const match = /^(\d+)\.(\d+)\.(\d+)/.exec(version)
  if (match === null) return false
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map(Number)
  return major < 3 || (major === 3 && (minor < 5 || patch < (OLDEST_PATCH.get(minor) ?? 0)))
}
