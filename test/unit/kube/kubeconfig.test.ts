import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { ConfigError } from '../../../src/errors.ts'
import { locateKubeconfig, selectContext } from '../../../src/kube/kubeconfig.ts'

const PEM = '-----BEGIN CERTIFICATE-----\n'
const directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'))

function file(name: string, content: unknown): string {
  const path = join(directory, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const SERVER = 'https://10.0.0.1:6443'
const valid = {
  'current-context': 'prod',
  contexts: [
    { name: 'prod', context: { cluster: 'c', user: 'u' } },
    { name: 'test', context: { cluster: 'c2' } },
  ],
  clusters: [
    { name: 'c', cluster: { server: `${SERVER}/`, 'certificate-authority': 'ca.crt' } },
    { name: 'c2', cluster: { server: 'http://localhost:8001' } },
  ],
  users: [{ name: 'u', user: { tokenFile: 'token' } }],
}

describe('the kubeconfig', () => {
  after(() => rmSync(directory, { recursive: true }))

  it('gives the current context, with paths relative to its file', () => {
    file('ca.crt', PEM)
    file('token', 'secret')
    const selected = selectContext([file('valid', valid)], undefined)
    assert.deepEqual([selected.context, selected.server], ['prod', SERVER])
    assert.equal(selected.cluster['certificate-authority'], join(directory, 'ca.crt'))
    assert.equal(selected.user['tokenFile'], join(directory, 'token'))
  })

  it('gives the context that is asked for, also one without a user', () => {
    const selected = selectContext([file('valid', valid)], 'test')
    assert.deepEqual([selected.server, selected.user], ['http://localhost:8001', {}])
  })

  it('is merged from several files, the first one first', () => {
    const first = file('first', { 'current-context': 'mine', contexts: [{ name: 'mine', context: { cluster: 'c2' } }] })
    assert.equal(selectContext([first, file('valid', valid)], undefined).server, 'http://localhost:8001')
  })

  const broken: readonly {
    readonly name: string
    readonly content: unknown
    readonly context?: string
    readonly says: RegExp
  }[] = [
    { name: 'is no YAML', content: 'a: [', says: /broken is not YAML; set --kubeconfig or KUBECONFIG/ },
    { name: 'is no mapping', content: '- 1', says: /broken: the document is not a mapping/ },
    { name: 'has no current context', content: {}, says: /current-context is not set; name a context with --context/ },
    {
      name: 'lacks the context asked for',
      content: valid,
      context: 'tset',
      says: /--context names "tset".*there are: prod, test/,
    },
    {
      name: 'names a cluster that it lacks',
      content: { ...valid, clusters: [] },
      says: /contexts\[name=prod\]\.context\.cluster names "c", which is not in clusters; there are no clusters/,
    },
    {
      name: 'names a user that it lacks',
      content: { ...valid, users: [{ name: 'x' }] },
      says: /"u", which is not in users; there are: x/,
    },
    {
      name: 'has a server that is no URL',
      content: { ...valid, clusters: [{ name: 'c', cluster: { server: '10.0.0.1:6443' } }] },
      says: /clusters\[name=c\]\.cluster\.server should be a URL/,
    },
    {
      name: 'names a file that is not there',
      content: { ...valid, users: [{ name: 'u', user: { 'client-key': 'gone.key' } }] },
      says: /users\[name=u\]\.user\.client-key can not be read: ENOENT/,
    },
    {
      name: 'embeds what is no certificate',
      content: {
        ...valid,
        clusters: [{ name: 'c', cluster: { server: SERVER, 'certificate-authority-data': 'eHh4' } }],
      },
      says: /certificate-authority-data does not hold PEM/,
    },
  ]
  for (const { name, content, context, says } of broken) {
    it(`is refused, by file and field, when it ${name}`, () => {
      file('ca.crt', PEM)
      file('token', 'secret')
      const path = file('broken', content)
      assert.throws(
        () => selectContext([path], context),
        (error: unknown) => error instanceof ConfigError && says.test(error.message),
      )
    })
  }

  it('never shows its content when it is no YAML', () => {
    const path = file('secret', 'token: "secret-value\n- [')
    assert.throws(
      () => selectContext([path], undefined),
      (error: unknown) =>
        error instanceof ConfigError && !`${error.message}${String(error.cause)}`.includes('secret-value'),
    )
  })

  it('is refused when it is not there', () => {
    assert.throws(() => selectContext([join(directory, 'none')], undefined), /none can not be read \(ENOENT/)
  })

  it('is looked for as asked, else in KUBECONFIG, of which files may be missing', () => {
    const path = file('valid', valid)
    assert.deepEqual(locateKubeconfig(path, { KUBECONFIG: '/other' }), { kind: 'files', files: [path] })
    const listed = ['/does/not/exist', path].join(delimiter)
    assert.deepEqual(locateKubeconfig(undefined, { KUBECONFIG: listed }), { kind: 'files', files: [path] })
    assert.deepEqual(locateKubeconfig(undefined, { KUBECONFIG: '/none' }), { kind: 'files', files: ['/none'] })
  })
})
