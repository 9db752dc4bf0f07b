/** Why a list or a watch stopped, from the error that it threw. Looks at classes and codes, never at messages. */
import { ForbiddenError, RejectedError, TimeoutError, UnavailableError } from '../errors.ts'
import type { Reason } from './reflector-machine.ts'

/** `undefined`: not an error of the connection but a bug, for whoever runs us. */
export function reasonOf(error: unknown): Reason | undefined {
  if (error instanceof ForbiddenError) return 'forbidden'
  if (error instanceof TimeoutError) return 'silent'
  if (error instanceof UnavailableError) return unavailable(error.code)
  if (!(error instanceof RejectedError)) return undefined
  if (error.code === '404') return 'not-found'
  return error.code === '410' ? 'expired' : 'refused'
}

/** Whether the server was there and said no, so that asking again soon is only a burden. */
export function isAnswer(reason: Reason): boolean {
  return ANSWERS.has(reason)
}

const ANSWERS: ReadonlySet<Reason> = new Set<Reason>(['overloaded', 'forbidden', 'expired', 'refused', 'undecodable'])

function unavailable(code: string): Reason {
  if (code === 'undecodable') return 'undecodable'
  return /^\d{3}$/.test(code) ? 'overloaded' : 'unreachable'
}
