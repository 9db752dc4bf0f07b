/**
 * The programs that development needs and how each is built. Versions stand in one place only, the go.mod of the tool's module
 * (one module a tool, because their dependencies clash); here is what go.mod can not say.
 */
import { fileURLToPath } from 'node:url'

export interface Tool {
  /** File name of the built program. */
  readonly binary: string
  /** Name of the cache directory; tools of one module share it. */
  readonly module: string
  /** Directory of go.mod, and of everything local that is compiled in. Relative to the checkout. */
  readonly directories: readonly [string, ...string[]]
  readonly package: string
  /** The required module whose version is the tool's version; absent for our own programs. */
  readonly versionOf?: string
  readonly ldflags?: (version: string) => string
  /** What a first build takes with two cores and a good connection, downloads and shared dependencies included. */
  readonly firstBuildSeconds: number
  /** Of the built program. */
  readonly megabytes: number
  /** Which environment variable of Kubernetes developers may bring it ready-made. */
  readonly assets?: 'KUBEBUILDER_ASSETS'
}

export const checkout = fileURLToPath(new URL('../../', import.meta.url))

/** Without its version the server calls itself `v0.0.0-master+$Format:%H$`, which kubectl and helm refuse to parse. */
function kubernetesVersionFlags(version: string): string {
  const [major, minor] = version.replace(/^v/, '').split('.')
  const variables = {
    gitVersion: version,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    gitCommit: 'unknown',
  }
  return ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
    .flatMap((path) => Object.entries(variables).map(([name, value]) => `-X ${path}.${name}=${value}`))
    .join(' ')
}

function kubernetes(binary: string, firstBuildSeconds: number, megabytes: number): Tool {
  return {
    binary,
    module: 'kubernetes',
    directories: ['dev/tools/kubernetes'],
    package: `k8s.io/kubernetes/cmd/${binary}`,
    versionOf: 'k8s.io/kubernetes',
    ldflags: kubernetesVersionFlags,
    firstBuildSeconds,
    megabytes,
    assets: 'KUBEBUILDER_ASSETS',
  }
}

function etcd(binary: 'etcd' | 'etcdctl', minor: string, firstBuildSeconds: number): Tool {
  const path = binary === 'etcd' ? 'go.etcd.io/etcd/server/v3' : 'go.etcd.io/etcd/etcdctl/v3'
  return {
    binary,
    module: `etcd-${minor}`,
    directories: [`dev/tools/etcd-${minor}`],
    package: path,
    versionOf: path,
    firstBuildSeconds,
    megabytes: binary === 'etcd' ? 27 : 18,
  }
}

/** The program that speaks to what we publish through the official packages of one etcd client version. */
function goClient(minor: '3.5' | '3.7'): Tool {
  return {
    binary: 'go-client',
    module: `go-client-${minor}`,
    directories: [`test/interop/go/v${minor}`, 'test/interop/go/client'],
    package: '.',
    versionOf: 'go.etcd.io/etcd/client/v3',
    firstBuildSeconds: 25,
    megabytes: 14,
  }
}

export const tools = {
  'kube-apiserver': kubernetes('kube-apiserver', 270, 119),
  'kube-controller-manager': kubernetes('kube-controller-manager', 90, 105),
  kubectl: kubernetes('kubectl', 20, 62),
  'etcd-3.7': etcd('etcd', '3.7', 40),
  'etcdctl-3.7': etcd('etcdctl', '3.7', 10),
  'etcd-3.6': etcd('etcd', '3.6', 30),
  'etcdctl-3.6': etcd('etcdctl', '3.6', 10),
  'etcd-3.5': etcd('etcd', '3.5', 30),
  'etcdctl-3.5': etcd('etcdctl', '3.5', 10),
  kwok: {
    binary: 'kwok',
    module: 'kwok',
    directories: ['dev/tools/kwok'],
    package: 'sigs.k8s.io/kwok/cmd/kwok',
    versionOf: 'sigs.k8s.io/kwok',
    firstBuildSeconds: 80,
    megabytes: 64,
  },
  certificates: {
    binary: 'certificates',
    module: 'certificates',
    directories: ['dev/tools/certificates'],
    package: '.',
    firstBuildSeconds: 3,
    megabytes: 3,
  },
  'go-client-3.5': goClient('3.5'),
  'go-client-3.7': goClient('3.7'),
} as const satisfies Record<string, Tool>

export type ToolName = keyof typeof tools
