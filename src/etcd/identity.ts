/**
 * Whose store this is: the key `<statePrefix>identity` holds the UID of the one Kubernetes cluster that writes under the prefix. Keeps: S15
 * (the fence compares it, so that the operator of another cluster can neither write nor delete).
 */
import { ConfigError } from '../errors.ts'
import type { Kv, OpResult } from './kv.ts'

/**
 * Binds the state prefix to one Kubernetes cluster, for good.
 * @param uid the UID of the kube-system namespace
 * @returns the value for `ElectionOptions.identity`
 * @throws ConfigError when the prefix belongs to another cluster
 */
export async function ensureIdentity(kv: Kv, statePrefix: string, uid: string, signal: AbortSignal): Promise<string> {
  const key = `${statePrefix}identity`
  // An array, as all our values: no naming client takes it for an endpoint.
  const value = JSON.stringify([uid])
  const { succeeded, results } = await kv.txn(
    {
      compare: [{ kind: 'createRevision', key, result: '=', revision: 0 }],
      success: [{ kind: 'put', key, value, lease: null }],
      failure: [{ kind: 'range', key }],
    },
    signal,
  )
  const found = succeeded ? value : stored(results[0])
  if (found === value) return value
  const other = /^\["(.*)"\]$/.exec(found ?? '')?.[1] ?? found
  throw new ConfigError(
    `etcd key ${key} says that this state prefix belongs to the Kubernetes cluster ${other}, and this is ${uid}; ` +
      `give each cluster an --operator-name of its own, or, if the other cluster is gone for good: etcdctl del ${key}`,
    { code: 'identity-mismatch', target: key },
  )
}

function stored(result: OpResult | undefined): string | undefined {
  return result?.kind === 'range' ? result.entries[0]?.value.toString() : undefined
}
