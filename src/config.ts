/** The operator's configuration: every setting and default of its own; those of etcd are in `config/etcd.ts`. */
import { z } from 'zod'
import { etcdShape } from './config/etcd.ts'
import { describeFlags, loadSettings } from './config/settings.ts'

const segment = '[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?'

const wholeSeconds = 'must be a whole number of seconds; 0 for no bound'

/** @param unit as it stands in the message, e.g. `seconds` */
function wholeNumber(min: number, max: number, unit: string) {
  const error = `must be a whole number of ${unit} from ${min} to ${max}`
  return z
    .union([z.number(), z.string().regex(/^\d+$/).transform(Number)], { error })
    .pipe(z.number().int(error).min(min, error).max(max, error))
}

const schema = z.object({
  ...etcdShape,
  kubeconfig: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'kubeconfig (default: $KUBECONFIG, else in-cluster, else the user’s file)' }),
  context: z.string().min(1).optional().meta({ title: 'NAME', description: 'context of the kubeconfig' }),
  operatorName: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label: a-z, 0-9 and "-", at most 63 characters')
    .default('default')
    .meta({ title: 'NAME', description: 'operators under different names share one etcd' }),
  keyPrefix: z
    .string()
    .regex(new RegExp(`^(${segment}/)*$`), 'must be empty or segments that each end in "/", e.g. "grpc/"')
    .default('')
    .meta({ title: 'PREFIX', description: 'put before every target, e.g. "grpc/"' }),
  statePrefix: z
    .string()
    .regex(new RegExp(`^_(${segment}/)+$`), 'must start with "_" and end with "/", e.g. "_grpcetcd/default/"')
    .optional()
    .meta({
      title: 'PREFIX',
      description: 'where the operator keeps its own records (default: _grpcetcd/<operator-name>/)',
    }),
  electionTtlSeconds: z.coerce
    .number({ error: 'must be a whole number of seconds from 2 to 60' })
    .int('must be a whole number of seconds from 2 to 60')
    .min(2, 'must be a whole number of seconds from 2 to 60')
    .max(60, 'must be a whole number of seconds from 2 to 60')
    .default(5)
    .meta({ title: 'N', description: 'a replica that is silent this long no longer leads' }),
  maxBlindSeconds: z
    .union([z.number(), z.string().regex(/^\d+$/).transform(Number)], { error: wholeSeconds })
    .pipe(z.number().int(wholeSeconds).min(0, wholeSeconds))
    .default(86_400)
    .meta({
      title: 'N',
      description: 'a replica that does not see its Kubernetes for this long renews no lease any more; 0: no bound',
    }),
  removalBudgetPercent: wholeNumber(0, 100, 'percent').default(20).meta({
    title: 'N',
    description: 'of all endpoints, removed at most within a minute without a single deletion as the reason',
  }),
  removalBudgetMinimum: wholeNumber(0, 1_000_000, 'endpoints')
    .default(50)
    .meta({ title: 'N', description: 'so many may always be, however few endpoints there are' }),
  metricsAddress: z
    .string()
    .regex(
      /^(|[0-9.]+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$/,
      'must be host:port or :port; port 0 takes a free one',
    )
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'the port must be at most 65535')
    .default(':8080')
    .meta({
      title: 'ADDRESS',
      description: 'where /metrics, /healthz and /readyz answer; port 0 takes a free one and logs it',
    }),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .meta({ title: 'LEVEL', description: 'log level' }),
  logFormat: z
    .enum(['auto', 'json', 'pretty'])
    .default('auto')
    .meta({ title: 'FORMAT', description: 'auto: pretty on a terminal, JSON elsewhere' }),
})

type Settings = z.output<typeof schema>
export type Config = Readonly<Omit<Settings, 'statePrefix'>> & { readonly statePrefix: string }

export const operatorCommand = { name: 'operator', schema }

/** Every name that a config file may hold: one file serves all commands. */
export const settingNames: readonly string[] = schema.keyof().options

/**
 * @param argv the arguments after the subcommand
 * @throws ConfigError naming the flag, variable or file and field, and what it must be
 */
export function loadConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Config {
  const settings = loadSettings(operatorCommand, argv, env)
  return Object.freeze({ ...settings, statePrefix: settings.statePrefix ?? `_grpcetcd/${settings.operatorName}/` })
}

/** The settings as `--help` shows them. */
export function describeSettings(): string {
  return describeFlags(operatorCommand)
}
