/** The commands of the guide print what the guide says, against real etcd: everything but the time of day and the widths of columns. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'

import { startEtcd, type Etcd } from '../../dev/control-plane/etcd.ts'
import { supervise, type SupervisedProcess } from '../../dev/supervised-process.ts'
import { checkout } from '../../dev/tools/catalogue.ts'
import { eventually } from '../support/eventually.ts'
import { blocksOf, readGuide, stepsOf } from '../support/guide.ts'

const run = promisify(execFile)

/** Without the time of day and the widths of columns. */
function content(text: string): string {
  return text
    .replaceAll(/^\d\d:\d\d:\d\d\.\d{3}/gm, 'HH:MM:SS.mmm')
    .replaceAll(/ +/g, ' ')
    .trimEnd()
}

describe('the command line in the guide', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'grpc-etcd-guide-'))
  let etcd: Etcd
  let watching: SupervisedProcess | undefined
  before(async () => {
    etcd = await startEtcd()
    // As after `npm install`, but of the sources.
    const command = join(directory, 'grpc-etcd')
    writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${join(checkout, 'src/main.ts')}' "$@"\n`)
    chmodSync(command, 0o755)
  })
  after(async () => {
    await watching?.stop()
    await etcd.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test('prints what the guide says', async () => {
    const env = { PATH: `${directory}:${process.env['PATH']}`, GRPC_ETCD_ETCD_ENDPOINTS: etcd.endpoint }
    const steps = blocksOf(readGuide(), 'console')
      .flatMap(stepsOf)
      .filter(({ command }) => command.startsWith('grpc-etcd '))
    const [watch, ...others] = steps
    assert.match(watch?.command ?? '', /^grpc-etcd watch /, 'the first one watches what the others do')

    const watched = join(directory, 'watch')
    watching = supervise({ command: 'sh', args: ['-c', `exec ${watch?.command} >&2`], env, logFile: watched })
    await eventually('it watches', async () => (await watching?.logTail())?.includes('watching'))
    for (const { command, output } of others) {
      const { stdout } = await run('sh', ['-c', `{ ${command}; } 2>&1`], { env })
      assert.equal(content(stdout), content(output), command)
    }
    await eventually('the last change', async () => (await watching?.logTail())?.includes('rev 5'))
    assert.equal(content((await watching.logTail()) ?? ''), content(watch?.output ?? ''))
  })
})
