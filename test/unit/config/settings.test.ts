import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { asksForHelp } from '../../../src/config/command-line.ts'
import { didYouMean } from '../../../src/config/did-you-mean.ts'
import { describeFlags, loadSettings } from '../../../src/config/settings.ts'
import { ConfigError } from '../../../src/errors.ts'

const command = {
  name: 'paint',
  schema: z.object({
    wall: z.string(),
    floor: z.string(),
    colour: z.string().default('white').meta({ title: 'NAME', alias: '-c', description: 'of the paint' }),
    coats: z.coerce.number('must be a number').default(1).meta({ title: 'COUNT', description: 'how many' }),
  }),
  places: ['wall', 'floor'],
  flagsOnly: ['colour'],
}

describe('the arguments of a command', () => {
  const accepted: readonly (readonly [string, readonly string[], object])[] = [
    ['places alone', ['a', 'b'], { colour: 'white', coats: 1 }],
    ['flags before, between and after places', ['-c', 'red', 'a', '--coats=2', 'b'], { colour: 'red', coats: 2 }],
    ['a value that begins with a dash, after "="', ['a', 'b', '--colour=--x'], { colour: '--x', coats: 1 }],
    [
      'the last one of a flag that is given twice',
      ['a', 'b', '-c', 'red', '--colour', 'blue'],
      { colour: 'blue', coats: 1 },
    ],
  ]
  for (const [name, argv, want] of accepted) {
    test(`may be ${name}`, () => assert.deepEqual(loadSettings(command, argv, {}), { wall: 'a', floor: 'b', ...want }))
  }

  test('after "--" are places, whatever they look like', () => {
    assert.equal(loadSettings(command, ['-c', 'red', '--', '-c', '--'], {}).floor, '--')
  })

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['too few', ['a'], /^FLOOR is missing\nUsage: grpc-etcd paint WALL FLOOR \[flags\]; see grpc-etcd paint --help$/],
    ['none', [], /^WALL and FLOOR are missing\n/],
    ['too many', ['a', 'b', 'c'], /^"c" is one argument too many\n/],
    [
      'an unknown flag',
      ['a', 'b', '--color', 'red'],
      /^--color: there is no such setting; did you mean --colour\? See grpc-etcd paint --help$/,
    ],
    ['an unknown short flag', ['a', 'b', '-x'], /^-x: there is no such setting; see/],
    ['a flag without its value', ['a', 'b', '-c'], /^-c: needs a value$/],
    [
      'a value that is none, by the flag as it was written',
      ['a', 'b', '--coats', 'x'],
      /^--coats: "x": must be a number$/,
    ],
  ]
  for (const [name, argv, says] of refused) {
    test(`are refused when they are ${name}`, () => {
      assert.throws(
        () => loadSettings(command, argv, {}),
        (error) => error instanceof ConfigError && says.test(error.message),
      )
    })
  }

  test('of one call are not read from variables', () => {
    const env = { GRPC_ETCD_COLOUR: 'red', GRPC_ETCD_COATS: '3', GRPC_ETCD_WALL: 'c' }
    assert.deepEqual(loadSettings(command, ['a', 'b'], env), { wall: 'a', floor: 'b', colour: 'white', coats: 3 })
  })

  test('are described with their short names and defaults, those of one call first', () => {
    assert.equal(
      describeFlags(command),
      `  -c, --colour NAME  of the paint (default: white)
  --config FILE      YAML file with the settings below in camelCase, e.g.
                     etcdEndpoints
  --coats COUNT      how many (default: 1)`,
    )
  })
})

describe('help is asked for', () => {
  const cases: readonly (readonly [readonly string[], boolean])[] = [
    [['--help'], true],
    [['a', '-h'], true],
    [['--unknown', 'x', '--help'], true],
    [['--colour=-h', '-h'], true],
    [['--colour', '--help'], true],
    [['-c', '-h'], false],
    [['--', '--help'], false],
    [['help'], false],
  ]
  for (const [argv, want] of cases)
    test(`${argv.join(' ')}: ${want ? 'yes' : 'no'}`, () => assert.equal(asksForHelp(command, argv), want))
})

describe('did you mean', () => {
  const known = ['--etcd-endpoints', '--etcd-cert-file', '--output', '-o']
  const cases: readonly (readonly [string, string])[] = [
    ['--etcd-endpoint', '; did you mean --etcd-endpoints?'],
    ['--etcd-endponits', '; did you mean --etcd-endpoints?'],
    ['--endpoints', '; did you mean --etcd-endpoints?'],
    ['--cert', '; did you mean --etcd-cert-file?'],
    ['--ouput', '; did you mean --output?'],
    ['--kubeconfig', ''],
    ['-x', ''],
    ['', ''],
  ]
  for (const [given, want] of cases) test(JSON.stringify(given), () => assert.equal(didYouMean(given, known), want))
})
