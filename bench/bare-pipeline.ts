/**
 * The bare pipeline: the least that brings a Pod's readiness into etcd. Plain HTTP watch, JSON.parse, one guarded Txn; no cache, no queue, no
 * records, no recovery. A child process of the bench; it prints `ready` when the server has accepted the watch, and ends at the first
 * trouble, because a figure of a pipeline that had trouble is worth nothing.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { Etcd3 } from 'etcd3'
import { Agent, request } from 'undici'

import { GROUP_LABEL, bareKey } from './workload.ts'

/** Of a Pod, what is looked at. The API server's word is taken for it, without a check. */
interface Pod {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> }
  readonly status: {
    readonly podIP?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

const { values } = parseArgs({
  options: { server: { type: 'string' }, ca: { type: 'string' }, token: { type: 'string' }, etcd: { type: 'string' } },
})
const etcd = new Etcd3({ hosts: values.etcd ?? '' })
const { ID: lease } = await etcd.leaseClient.leaseGrant({ TTL: 600 })
/** The revision of each key that is there. */
const revisions = new Map<string, string>()

async function publish(pod: Pod): Promise<void> {
  const { labels = {} } = pod.metadata
  const { podIP, conditions = [] } = pod.status
  if (labels[GROUP_LABEL] !== 'bare' || podIP === undefined) return
  const key = bareKey(labels['app'] ?? '', podIP)
  const ready = conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
  const revision = revisions.get(key)
  if (ready === (revision !== undefined)) return

  const bytes = Buffer.from(key)
  const value = Buffer.from(`{"Op":0,"Addr":"${podIP}:50051","Metadata":null}`)
  const result = await etcd.kv.txn({
    compare: [{ key: bytes, target: 'Mod', result: 'Equal', mod_revision: revision ?? '0' }],
    success: [ready ? { request_put: { key: bytes, value, lease } } : { request_delete_range: { key: bytes } }],
  })
  if (!result.succeeded) throw new Error(`the guard of ${key} failed`)
  if (ready) revisions.set(key, result.header.revision)
  else revisions.delete(key)
}

const { statusCode, body } = await request(`${values.server ?? ''}/api/v1/pods?watch=true`, {
  dispatcher: new Agent({ connect: { ca: readFileSync(values.ca ?? '') }, allowH2: false, bodyTimeout: 0 }),
  headers: { authorization: `Bearer ${values.token ?? ''}` },
})
if (statusCode !== 200) throw new Error(`watch: status ${statusCode}`)
console.log('ready')

let rest = ''
body.setEncoding('utf8')
for await (const chunk of body) {
  const lines = (rest + String(chunk)).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) {
    const { object }: { readonly object: Pod } = JSON.parse(line)
    void publish(object)
  }
}
