/** An etcd with users: `root` with the password `secret`, and who else a test wants. */
import type { Etcd } from '../../dev/control-plane/etcd.ts'

type Server = Pick<Etcd, 'etcdctl'>

/**
 * Switches authentication on, with one user more, whose password is `pass`.
 *
 * @param grants what the user may, e.g. `readwrite own/`: a permission and a prefix
 */
export async function enableAuth(etcd: Server, user: string, grants: readonly string[]): Promise<void> {
  for (const command of [
    'user add root:secret',
    'user grant-role root root',
    `role add ${user}`,
    ...grants.map((grant) => `role grant-permission ${user} ${grant} --prefix=true`),
    `user add ${user}:pass`,
    `user grant-role ${user} ${user}`,
    'auth enable',
  ]) {
    await etcd.etcdctl(...command.split(' '))
  }
}

export function asRoot(etcd: Server, ...args: readonly string[]): Promise<string> {
  return etcd.etcdctl('--user=root:secret', ...args)
}
