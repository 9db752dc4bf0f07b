/**
 * A long-lived stream that is opened again, with backoff, whenever it ends. What was said on an earlier stream is never delivered after
 * it was lost, so its owner has to think of one stream only.
 */
import type { Log } from '../runtime/log.ts'
import { describeError } from '../errors.ts'
import { createBackoff } from '../runtime/backoff.ts'
import { sleep } from '../runtime/sleep.ts'
import type { Stream, StreamHandlers } from './streams.ts'

export interface Link<Request> {
  /** `undefined` while there is none. */
  readonly stream: Stream<Request> | undefined
  /** When the present stream was opened or last said something (`performance.now()`). */
  readonly heardAtMs: number
  /** Sees to it that there will be a stream. */
  connect(): void
  /** The stream does its work: after its loss the next one is opened at once. */
  proven(): void
  /** Gives up the present stream and opens the next. With `distrust` the connection or the token under it goes too. */
  replace(reason: unknown, distrust?: 'silent' | 'token'): void
  close(): void
}

export interface LinkOptions<Request, Message> {
  /** For logs. */
  readonly name: string
  readonly longestBackoffMs: number
  readonly open: (handlers: StreamHandlers<Message>, signal: AbortSignal) => Promise<Stream<Request>>
  readonly onOpen: (stream: Stream<Request>) => void
  readonly onMessage: (message: Message, stream: Stream<Request>) => void
  /** Everything that was said or asked on the stream and not answered yet is void. */
  readonly onLost: (reason: unknown) => void
  readonly log: Log
}

export function createLink<Request, Message>(options: LinkOptions<Request, Message>): Link<Request> {
  const closing = new AbortController()
  const backoff = createBackoff(50, options.longestBackoffMs)
  const log = options.log.child({ stream: options.name })
  let stream: Stream<Request> | undefined
  let connecting = false
  let proven = true
  let heardAtMs = 0
  let lostAtMs: number | undefined

  async function connect(): Promise<void> {
    if (connecting || stream !== undefined) return
    connecting = true
    while (stream === undefined && !closing.signal.aborted) {
      if (!proven) await sleep(backoff.next(), closing.signal)
      proven = false
      stream = await attempt()
    }
    connecting = false
    if (stream === undefined) return
    heardAtMs = performance.now()
    options.onOpen(stream)
  }

  async function attempt(): Promise<Stream<Request> | undefined> {
    let mine: Stream<Request> | undefined
    const present = () => mine !== undefined && mine === stream
    try {
      mine = await options.open(
        {
          onMessage: (message) => {
            if (mine === undefined || !present()) return
            heardAtMs = performance.now()
            options.onMessage(message, mine)
          },
          onEnd: (error) => {
            if (present()) lost(error)
          },
        },
        closing.signal,
      )
      return mine
    } catch (error) {
      lostAtMs ??= performance.now()
      if (!closing.signal.aborted) log.warn({ error: describeError(error) }, 'etcd stream can not be opened')
      return undefined
    }
  }

  function lost(reason: unknown): void {
    if (closing.signal.aborted) return
    log.warn({ error: describeError(reason) }, 'etcd stream lost')
    lostAtMs ??= performance.now()
    stream = undefined
    options.onLost(reason)
    void connect()
  }

  return {
    get stream() {
      return stream
    },
    get heardAtMs() {
      return heardAtMs
    },
    connect() {
      void connect()
    },
    proven() {
      proven = true
      backoff.reset()
      if (lostAtMs === undefined) return
      log.info({ afterMs: Math.round(performance.now() - lostAtMs) }, 'etcd stream restored')
      lostAtMs = undefined
    },
    replace(reason, distrust) {
      if (stream === undefined) return
      if (distrust === undefined) stream.close()
      else stream.distrust(distrust)
      lost(reason)
    },
    close() {
      closing.abort()
      stream?.close()
      stream = undefined
    },
  }
}
