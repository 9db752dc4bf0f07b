/** From the settings of every command that talks to etcd to the connection: one place that knows both. */
import type { EtcdSettings } from '../config/etcd.ts'
import { EtcdConnection } from '../naming/connection.ts'
import type { Log } from '../runtime/log.ts'

/** @param hosts the endpoints of the settings, in the order in which they are to be tried */
export function connectTo(settings: EtcdSettings, log: Log, hosts = settings.etcdEndpoints): EtcdConnection {
  const { etcdUsername: username, etcdPasswordFile: passwordFile } = settings
  return new EtcdConnection({
    hosts,
    tls: {
      caFile: settings.etcdCaFile,
      certFile: settings.etcdCertFile,
      keyFile: settings.etcdKeyFile,
      serverName: settings.etcdServerName,
    },
    auth: username === undefined ? undefined : { username, passwordFile },
    requestTimeoutMs: settings.etcdRequestTimeoutSeconds * 1000,
    log,
  })
}
