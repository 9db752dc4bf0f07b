/**
 * What a reflector does next, as a total table: (phase, outcome of its last step) → (phase, pause). Pure.
 * Keeps: a failure changes when we know, never what we know (S4); a list that broke off half-way is never taken for a whole one;
 * a watch goes on where it stopped, and a list comes only when the server says that this is not possible, or when a
 * connection said nothing at all, which is how a server looks whose past was replaced (L11).
 */

export type Phase =
  /** A watch that sends the whole set first (WatchList), then goes on as a watch. */
  | { readonly kind: 'watch-list' }
  /** The set page by page, for servers without WatchList. */
  | { readonly kind: 'list'; readonly continueToken: string | undefined }
  /** A watch from the store's resourceVersion on. */
  | { readonly kind: 'watch'; readonly lists: 'watch-list' | 'list' }

export type Reason =
  /** The server closed the stream in good order, or its time was up. */
  | 'ended'
  /** Not reached, or the connection broke. */
  | 'unreachable'
  /** No byte for too long. */
  | 'silent'
  /** 429, 5xx. */
  | 'overloaded'
  /** 401, 403, a bad certificate. */
  | 'forbidden'
  /** 404: this kind is not served (its CRD is not installed). */
  | 'not-found'
  /** 410: the resourceVersion or the continue token is too old. */
  | 'expired'
  /** 400, 422 and other definite refusals. */
  | 'refused'
  /** Bytes that do not read as they should. */
  | 'undecodable'

export type Outcome =
  /** A page, and there are more. */
  | { readonly kind: 'page'; readonly continueToken: string }
  /** The last page: the store has the whole set. */
  | { readonly kind: 'listed' }
  /** The step ended; `listed`: after the set was whole; `heard`: after at least one line that could be read. */
  | { readonly kind: 'interrupted'; readonly reason: Reason; readonly listed: boolean; readonly heard: boolean }

export interface Transition {
  readonly phase: Phase
  /** Whether to wait before the next step. */
  readonly pause: boolean
}

export const FIRST_PHASE: Phase = { kind: 'watch-list' }

const START_OF_LIST: Phase = { kind: 'list', continueToken: undefined }

/** A page failed: ask for the same page again, or is the continue token no longer good, so that nothing is kept of the pages before. */
const AFTER_PAGE: Readonly<Record<Reason, 'same page' | 'first page'>> = {
  ended: 'same page',
  unreachable: 'same page',
  silent: 'same page',
  overloaded: 'same page',
  forbidden: 'same page',
  undecodable: 'same page',
  expired: 'first page',
  refused: 'first page',
  'not-found': 'first page',
}

const AFTER_WATCH: Readonly<Record<Reason, 'resume' | 'resume if it was heard' | 'relist'>> = {
  ended: 'resume',
  unreachable: 'resume',
  overloaded: 'resume',
  forbidden: 'resume',
  silent: 'resume if it was heard',
  undecodable: 'resume if it was heard',
  expired: 'relist',
  refused: 'relist',
  'not-found': 'relist',
}

export function next(phase: Phase, outcome: Outcome): Transition {
  if (outcome.kind === 'page') return { phase: { kind: 'list', continueToken: outcome.continueToken }, pause: false }
  if (outcome.kind === 'listed') return { phase: { kind: 'watch', lists: 'list' }, pause: false }
  const { reason, listed, heard } = outcome
  if (phase.kind === 'list') return { phase: AFTER_PAGE[reason] === 'same page' ? phase : START_OF_LIST, pause: true }
  if (phase.kind === 'watch-list' && !listed) {
    // 400 and 422 are how a server without WatchList refuses it; from then on the set comes in pages.
    return reason === 'refused' ? { phase: START_OF_LIST, pause: false } : { phase: FIRST_PHASE, pause: true }
  }
  const lists = phase.kind === 'watch' ? phase.lists : 'watch-list'
  const after = AFTER_WATCH[reason]
  const resumes = after === 'resume' || (after === 'resume if it was heard' && heard)
  if (resumes) return { phase: { kind: 'watch', lists }, pause: true }
  return { phase: lists === 'list' ? START_OF_LIST : FIRST_PHASE, pause: true }
}
