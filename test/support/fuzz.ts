/** Differential fuzzing: many generated values a run, other ones every time, each run repeatable. */
import { randomInt } from 'node:crypto'
import type { TestContext } from 'node:test'
import * as fc from 'fast-check'

/**
 * Checks `runs` values, one after the other; the first that fails is made as small as it can be, and told with the seed. The seed is
 * told always. `FUZZ_SEED` repeats a run. `check` returns what became of the value, and the diagnostic counts that: a fuzz whose
 * values all end alike tests little.
 */
export async function fuzz<T>(
  t: TestContext,
  values: fc.Arbitrary<T>,
  runs: number,
  check: (value: T) => Promise<string>,
): Promise<ReadonlyMap<string, number>> {
  const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))
  const outcomes = new Map<string, number>()
  t.diagnostic(`${runs} values, FUZZ_SEED=${seed}`)
  const property = fc.asyncProperty(values, async (value) => {
    const outcome = await check(value)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  })
  await fc.assert(property, { seed, numRuns: runs })
  t.diagnostic([...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', '))
  return outcomes
}
