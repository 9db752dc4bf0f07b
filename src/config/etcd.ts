/** The settings of every command that talks to etcd: where it is and who we are to it, with their defaults. */
import { z } from 'zod'

const path = z.string().min(1)
const seconds = 'must be a number of seconds from 1 to 60'

const endpoints = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(',').map((part) => part.trim()))])
  .pipe(
    z
      .array(
        z
          .string()
          .refine(
            (text) => /^https?:\/\/[^/@\s]+:\d{1,5}\/?$/.test(text) && URL.canParse(text),
            'must be http://host:port or https://host:port',
          ),
      )
      .min(1),
  )

export const etcdShape = {
  etcdEndpoints: endpoints
    .default(['http://127.0.0.1:2379'])
    .meta({ title: 'URLS', description: 'etcd servers, comma-separated' }),
  etcdCaFile: path.optional().meta({ description: 'CA that signed the servers’ certificates (PEM)' }),
  etcdCertFile: path.optional().meta({ description: 'client certificate (PEM)' }),
  etcdKeyFile: path.optional().meta({ description: 'key of the client certificate (PEM)' }),
  etcdServerName: z
    .string()
    .min(1)
    .optional()
    .meta({ title: 'NAME', description: 'name to expect in the servers’ certificates' }),
  etcdUsername: z.string().min(1).optional().meta({ title: 'NAME', description: 'etcd user' }),
  etcdPasswordFile: path.optional().meta({ description: 'file that holds the user’s password' }),
  etcdRequestTimeoutSeconds: z.coerce
    .number({ error: seconds })
    .min(1, seconds)
    .max(60, seconds)
    .default(5)
    .meta({ title: 'SECONDS', description: 'deadline of one etcd request' }),
}

export type EtcdSettings = Readonly<z.output<z.ZodObject<typeof etcdShape>>>

/** Of no use one without the other. */
export const etcdPairs: readonly (readonly [string, string])[] = [
  ['etcdCertFile', 'etcdKeyFile'],
  ['etcdUsername', 'etcdPasswordFile'],
]
