/** The files of examples/ as the demo applies them: only what its machine forces upon it is changed. */
import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'

import { parseAllDocuments } from 'yaml'

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

/** A GrpcEndpoint that is this very machine. `callable` is false when it has no address to be reached at: loopback is refused. */
export function greeterEndpoint(serverPort: number): { readonly yaml: string; readonly callable: boolean } {
  const host = ownAddress()
  const changes: Change[] = host === undefined ? [] : [[['spec', 'address'], `${host}:${serverPort}`]]
  return { yaml: example('greeter-endpoint.yaml', 'GrpcEndpoint', changes), callable: host !== undefined }
}

function example(file: string, kind: string, changes: readonly Change[]): string {
  const documents = parseAllDocuments(readFileSync(join(checkout, 'examples', file), 'utf8'))
  for (const document of documents) {
    if (document.get('kind') === kind) for (const [path, value] of changes) document.setIn(path, value)
  }
  return documents.map(String).join('')
}

function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const usable = all.find(({ family, internal, address }) => family === 'IPv4' && !internal && !isLinkLocal(address))
  return usable?.address
}

function isLinkLocal(address: string): boolean {
  return address.startsWith('169.254.')
}
