/** The reporter of `make test`: node's own spec output, then the closing counts as `# tests N`, one a line, which CI reads. */
import { Readable } from 'node:stream'
import { spec as Spec, type TestEvent } from 'node:test/reporters'

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const closing: string[] = []
  async function* listening(): AsyncGenerator<TestEvent> {
    for await (const event of source) {
      // Diagnostics of tests have a file; those that count all tests have none.
      if (event.type === 'test:diagnostic' && event.data.file === undefined) closing.push(`# ${event.data.message}\n`)
      else yield event
    }
  }
  const text: AsyncIterable<unknown> = Readable.from(listening()).pipe(new Spec())
  for await (const chunk of text) yield String(chunk)
  yield* closing
}
