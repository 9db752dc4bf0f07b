/**
 * Where etcd is, from the environment. A file is read again when it is needed, so a certificate or a password may change on disk
 * while the program runs.
 */
import type { EtcdOptions } from 'grpc-etcd-operator/naming'

export function etcdOptions(env = process.env): EtcdOptions {
  return {
    hosts: (env['ETCD_HOSTS'] ?? 'http://127.0.0.1:2379').split(','),
    // The authority that signed etcd's certificate, and, if etcd asks for one, this program's own certificate.
    ...(env['ETCD_CA_FILE'] !== undefined && {
      tls: { caFile: env['ETCD_CA_FILE'], certFile: env['ETCD_CERT_FILE'], keyFile: env['ETCD_KEY_FILE'] },
    }),
    ...(env['ETCD_USERNAME'] !== undefined && {
      auth: { username: env['ETCD_USERNAME'], passwordFile: env['ETCD_PASSWORD_FILE'] ?? 'etcd-password' },
    }),
  }
}
