/**
 * What the bench measures with: two equal groups of services with Pods of their own, one published by the operator, one by the bare
 * pipeline. Both programs watch and parse all Pods, so each bears the load of the other's. Pure: names, bodies, and whose turn it is.
 */
export type Group = 'operator' | 'bare'

export const SERVICES = 20
const PODS_PER_SERVICE = 10
const PODS_PER_SERVICE_MISSING = 3
export const GROUP_LABEL = 'group'
export const NAMESPACE = 'bench'
const PORT = 50051

export interface BenchPod {
  readonly group: Group
  readonly name: string
  readonly service: string
  readonly ip: string
  /** Where it is to be seen in etcd. */
  readonly key: string
}

export interface Change {
  readonly pod: BenchPod
  readonly ready: boolean
}

export function podsOf(group: Group): readonly BenchPod[] {
  return Array.from({ length: SERVICES * PODS_PER_SERVICE }, (_, index) => {
    const service = `svc-${index % SERVICES}`
    const ip = `10.${group === 'operator' ? 1 : 2}.${index % SERVICES}.${1 + Math.floor(index / SERVICES)}`
    const key = group === 'operator' ? `${NAMESPACE}/${service}/${ip}:${PORT}` : bareKey(service, ip)
    return { group, name: `${group}-${index}`, service, ip, key }
  })
}

export function bareKey(service: string, ip: string): string {
  return `bare/${service}/${ip}:${PORT}`
}

/**
 * Round all services: at one visit a Pod becomes unready, at the next one that did so two seconds ago (at 50 changes a second) is ready again.
 * So a stall of the machine does not make two changes of one Pod one, and never more than three of a service's ten are missing, so that no
 * safeguard of the operator has reason to hold anything.
 */
export function* changesOf(pods: readonly BenchPod[]): Generator<Change, never> {
  for (let visit = 0; ; visit++) {
    const ready = visit % 2 === 1
    const turn = Math.floor(visit / 2) - (ready ? PODS_PER_SERVICE_MISSING - 1 : 0)
    if (turn < 0) continue
    for (let service = 0; service < SERVICES; service++) {
      const pod = pods[service + SERVICES * (turn % PODS_PER_SERVICE)]
      if (pod === undefined) throw new Error('a service has too few Pods')
      yield { pod, ready }
    }
  }
}

/** As large as Pods are in real life: what a watch costs is mostly their JSON. */
export function podManifest({ name, group, service }: BenchPod): object {
  const env = Array.from({ length: 12 }, (_, index) => ({
    name: `SETTING_${index}`,
    value: `value of ${index} `.repeat(4),
  }))
  const probe = { grpc: { port: PORT }, periodSeconds: 5 }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: NAMESPACE, labels: { app: service, [GROUP_LABEL]: group } },
    spec: {
      nodeName: 'node',
      containers: [
        {
          name: 'server',
          image: 'registry.example/team/server:1.2.3',
          ports: [{ name: 'grpc', containerPort: PORT }],
          env,
          resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
          readinessProbe: probe,
          livenessProbe: probe,
        },
      ],
    },
  }
}

/** A merge patch of `/status`. */
export function podStatus({ ip }: BenchPod, ready: boolean): object {
  const status = ready ? 'True' : 'False'
  return {
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [
        { type: 'PodScheduled', status: 'True' },
        { type: 'Initialized', status: 'True' },
        { type: 'ContainersReady', status },
        { type: 'Ready', status },
      ],
    },
  }
}

export function grpcServiceManifest(index: number): object {
  const name = `svc-${index}`
  return {
    apiVersion: 'grpcetcd.dev/v1alpha1',
    kind: 'GrpcService',
    metadata: { name, namespace: NAMESPACE },
    spec: { pods: { selector: { matchLabels: { app: name, [GROUP_LABEL]: 'operator' } }, port: 'grpc' } },
  }
}
