/** The settings of every command that talks to etcd: where it is and who we are to it, with their defaults. */
import { z } from 'zod'
import { flag } from './command-line.ts'

const text = z.string().min(1, 'must not be empty')
const seconds = 'must be a number of seconds from 1 to 60'

const endpoints = z
  .union([z.array(z.string()), z.string().transform((list) => list.split(',').map((url) => url.trim()))])
  .pipe(
    z
      .array(
        z
          .string()
          .refine(
            (url) => /^https?:\/\/(?:\[[^\]]+\]|[^/@\s:,[\]?#]+):\d{1,5}\/?$/.test(url) && URL.canParse(url),
            'must be http://host:port or https://host:port',
          ),
      )
      .min(1),
  )

export const etcdShape = {
  etcdEndpoints: endpoints
    .default(['http://127.0.0.1:2379'])
    .meta({ title: 'URLS', description: 'etcd servers, comma-separated' }),
  etcdCaFile: text.optional().meta({ description: 'CA that signed the servers’ certificates (PEM)' }),
  etcdCertFile: text.optional().meta({ description: 'client certificate (PEM)' }),
  etcdKeyFile: text.optional().meta({ description: 'key of the client certificate (PEM)' }),
  etcdServerName: text.optional().meta({ title: 'NAME', description: 'name to expect in the servers’ certificates' }),
  etcdUsername: text.optional().meta({ title: 'NAME', description: 'etcd user' }),
  etcdPasswordFile: text.optional().meta({ description: 'file that holds the user’s password' }),
  etcdRequestTimeoutSeconds: z.coerce
    .number({ error: seconds })
    .min(1, seconds)
    .max(60, seconds)
    .default(5)
    .meta({ title: 'N', description: 'deadline of one etcd request' }),
}

export type EtcdSettings = Readonly<z.output<z.ZodObject<typeof etcdShape>>>

/** Of no use one without the other. */
const PAIRS = [
  ['etcdCertFile', 'etcdKeyFile'],
  ['etcdUsername', 'etcdPasswordFile'],
] as const

/** Of no use without TLS. */
const OF_TLS = ['etcdCaFile', 'etcdCertFile', 'etcdKeyFile', 'etcdServerName'] as const

/** What is wrong with settings that are right one by one; `undefined`: nothing. */
export function contradictionIn(settings: Partial<EtcdSettings>): string | undefined {
  for (const [one, other] of PAIRS) {
    if ((settings[one] === undefined) !== (settings[other] === undefined))
      return `${flag(one)} and ${flag(other)} go together: give both or none`
  }
  const ofTls = OF_TLS.find((name) => settings[name] !== undefined)
  const plain = settings.etcdEndpoints?.find((url) => url.startsWith('http://'))
  if (ofTls === undefined || plain === undefined) return undefined
  return `${flag(ofTls)} is given, but ${plain} would be spoken to in clear text: write https:// in ${flag('etcdEndpoints')}`
}
