/**
 * `make test`: every test there is, with all set-up. Tools are built first, one after the other and with progress, so that no test's
 * deadline pays for a compiler. Ends non-zero when anything fails, and ends: each test has a deadline, and so has the whole.
 *
 * Arguments are globs of test files; default: all.
 */
import { spawn } from 'node:child_process'

import { checkout, tools, type ToolName } from './tools/catalogue.ts'
import { findTool } from './tools/find.ts'

const TEST_TIMEOUT_MS = 10 * 60_000
const TOTAL_TIMEOUT_MS = 40 * 60_000

for (const name of Object.keys(tools)) {
  if (isToolName(name)) await findTool(name)
}
const files = process.argv.length > 2 ? process.argv.slice(2) : ['test/**/*.test.ts']
const options = [
  '--test-reporter=./dev/test-reporter.ts',
  '--test-reporter-destination=stdout',
  // A file is a process and brings its own servers: more at once would measure the scheduler.
  '--test-concurrency=2',
  `--test-timeout=${TEST_TIMEOUT_MS}`,
]
const runner = spawn(process.execPath, ['--test', ...options, ...files], {
  cwd: checkout,
  stdio: ['ignore', 'inherit', 'inherit'],
})
const tooLate = setTimeout(() => {
  console.error(`make test: not done after ${TOTAL_TIMEOUT_MS / 60_000} minutes, giving up`)
  runner.kill('SIGTERM')
}, TOTAL_TIMEOUT_MS)
runner.once('exit', (code) => {
  clearTimeout(tooLate)
  process.exitCode = code ?? 1
})

function isToolName(name: string): name is ToolName {
  return name in tools
}
