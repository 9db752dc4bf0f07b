/** The files of examples/ as the demo applies them: only what its machine forces upon it is changed. */
import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { parseAllDocuments } from 'yaml'

import { parseAddress } from '../../src/naming/address.ts'
import { kwokNode } from '../control-plane/kwok.ts'
import { checkout } from '../tools/catalogue.ts'

/** The target that examples/greeter.yaml publishes. */
export const target = 'demo/greeter'

type Change = readonly [path: readonly (string | number)[], value: string | number]

/** Namespace, Deployment and GrpcService. There is no scheduler, so the Pods name their node. */
export function greeter(serverPort: number): string {
  const podSpec = ['spec', 'template', 'spec']
  return example('greeter.yaml', 'Deployment', [
    [[...podSpec, 'nodeName'], kwokNode],
    [[...podSpec, 'containers', 0, 'ports', 0, 'containerPort'], serverPort],
  ])
}

export interface OwnEndpoint {
  readonly yaml: string
  /** `host:port` as published, and as a client that is connected sees it. */
  readonly address: string
  readonly peer: string
}

/**
 * A GrpcEndpoint that is this very machine, under its own name: a loopback *address* is refused in a GrpcEndpoint. `undefined` when the
 * name leads to another address than loopback: the demo calls nothing that lies behind a network.
 */
export async function greeterEndpoint(serverPort: number): Promise<OwnEndpoint | undefined> {
  const name = hostname().toLowerCase()
  const address = `${name}:${serverPort}`
  const found = await lookup(name, { family: 4 }).catch(() => undefined)
  if (found?.address.startsWith('127.') !== true || !parseAddress(address).ok) return undefined
  const yaml = example('greeter-endpoint.yaml', 'GrpcEndpoint', [[['spec', 'address'], address]])
  return { yaml, address, peer: `${found.address}:${serverPort}` }
}

function example(file: string, kind: string, changes: readonly Change[]): string {
  const documents = parseAllDocuments(readFileSync(join(checkout, 'examples', file), 'utf8'))
  for (const document of documents) {
    if (document.get('kind') === kind) for (const [path, value] of changes) document.setIn(path, value)
  }
  return documents.map(String).join('')
}
