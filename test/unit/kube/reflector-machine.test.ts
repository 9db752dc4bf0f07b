import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { FIRST_PHASE, next, type Outcome, type Phase, type Reason } from '../../../src/kube/reflector-machine.ts'

const REASONS: readonly Reason[] = [
  'ended',
  'unreachable',
  'silent',
  'overloaded',
  'forbidden',
  'not-found',
  'expired',
  'refused',
  'undecodable',
]
const STREAM: Phase = { kind: 'watch-list' }
const FIRST_PAGE: Phase = { kind: 'list', continueToken: undefined }
const LATER_PAGE: Phase = { kind: 'list', continueToken: 'token' }
const WATCH: Phase = { kind: 'watch', lists: 'watch-list' }
const WATCH_PAGED: Phase = { kind: 'watch', lists: 'list' }

function interrupted(reason: Reason, how: { readonly listed?: boolean; readonly heard?: boolean } = {}): Outcome {
  return { kind: 'interrupted', reason, listed: how.listed ?? false, heard: how.heard ?? true }
}

describe('the reflector machine', () => {
  const cases: readonly {
    readonly name: string
    readonly from: Phase
    readonly outcome: Outcome
    readonly to: Phase
    readonly pause: boolean
  }[] = [
    {
      name: 'asks for the next page at once',
      from: FIRST_PAGE,
      outcome: { kind: 'page', continueToken: 'token' },
      to: LATER_PAGE,
      pause: false,
    },
    {
      name: 'watches after the last page',
      from: LATER_PAGE,
      outcome: { kind: 'listed' },
      to: WATCH_PAGED,
      pause: false,
    },
    {
      name: 'reads pages when WatchList is refused',
      from: STREAM,
      outcome: interrupted('refused'),
      to: FIRST_PAGE,
      pause: false,
    },
    {
      name: 'streams the set again when it broke off',
      from: STREAM,
      outcome: interrupted('unreachable'),
      to: STREAM,
      pause: true,
    },
    {
      name: 'resumes a watch that began with a streamed set',
      from: STREAM,
      outcome: interrupted('unreachable', { listed: true }),
      to: WATCH,
      pause: true,
    },
    {
      name: 'asks for a page again after a failure',
      from: LATER_PAGE,
      outcome: interrupted('overloaded'),
      to: LATER_PAGE,
      pause: true,
    },
    {
      name: 'starts over when a continue token expired',
      from: LATER_PAGE,
      outcome: interrupted('expired'),
      to: FIRST_PAGE,
      pause: true,
    },
    {
      name: 'starts over when a continue token is refused',
      from: LATER_PAGE,
      outcome: interrupted('refused'),
      to: FIRST_PAGE,
      pause: true,
    },
    { name: 'resumes an ended watch', from: WATCH, outcome: interrupted('ended'), to: WATCH, pause: true },
    {
      name: 'resumes though nothing was heard',
      from: WATCH,
      outcome: interrupted('ended', { heard: false }),
      to: WATCH,
      pause: true,
    },
    { name: 'resumes a watch that fell silent', from: WATCH, outcome: interrupted('silent'), to: WATCH, pause: true },
    {
      name: 'lists when a watch never said anything',
      from: WATCH,
      outcome: interrupted('silent', { heard: false }),
      to: STREAM,
      pause: true,
    },
    {
      name: 'reconnects after a line it can not read',
      from: WATCH,
      outcome: interrupted('undecodable'),
      to: WATCH,
      pause: true,
    },
    {
      name: 'lists when the very first line can not be read',
      from: WATCH,
      outcome: interrupted('undecodable', { heard: false }),
      to: STREAM,
      pause: true,
    },
    { name: 'lists when the version expired', from: WATCH, outcome: interrupted('expired'), to: STREAM, pause: true },
    {
      name: 'lists in pages where it did so before',
      from: WATCH_PAGED,
      outcome: interrupted('expired'),
      to: FIRST_PAGE,
      pause: true,
    },
    { name: 'lists when the kind is gone', from: WATCH, outcome: interrupted('not-found'), to: STREAM, pause: true },
    { name: 'keeps its place while forbidden', from: WATCH, outcome: interrupted('forbidden'), to: WATCH, pause: true },
  ]
  for (const { name, from, outcome, to, pause } of cases) {
    it(name, () => assert.deepEqual(next(from, outcome), { phase: to, pause }))
  }

  const outcomes = fc.oneof(
    fc.record({ kind: fc.constant('page' as const), continueToken: fc.constant('token') }),
    fc.record({ kind: fc.constant('listed' as const) }),
    fc.record({
      kind: fc.constant('interrupted' as const),
      reason: fc.constantFrom(...REASONS),
      listed: fc.boolean(),
      heard: fc.boolean(),
    }),
  )

  it('never watches before a set was complete (S4), whatever happens', () => {
    fc.assert(
      fc.property(fc.array(outcomes), (all) => {
        let phase = FIRST_PHASE
        let complete = false
        for (const outcome of all) {
          // Only a list has pages, and only a stream is complete while it goes on.
          if (outcome.kind !== 'interrupted' && phase.kind !== 'list') continue
          complete ||=
            outcome.kind === 'listed' ||
            (outcome.kind === 'interrupted' && outcome.listed && phase.kind === 'watch-list')
          phase = next(phase, outcome).phase
          assert(phase.kind !== 'watch' || complete)
        }
      }),
    )
  })

  it('pauses after every failure except a refused WatchList, so that no failure can make it spin', () => {
    for (const from of [STREAM, FIRST_PAGE, LATER_PAGE, WATCH, WATCH_PAGED]) {
      for (const reason of REASONS) {
        const { pause, phase } = next(from, interrupted(reason))
        assert(pause || (from === STREAM && reason === 'refused' && phase.kind === 'list'), `${from.kind} ${reason}`)
      }
    }
  })
})
