/**
 * Keeps two processes from building the same thing at once. Only a courtesy: builds go to a temporary name and are renamed when
 * whole, so two holders waste time and break nothing. That allows a lock file without the help of the operating system: the owner
 * touches it every second, and one that has not been touched for a while (owner killed, machine rebooted) is taken over.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { rm, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const TOUCH_EVERY_MS = 1000
const DEAD_AFTER_MS = 15_000

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function tryCreate(path: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${process.pid}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** Milliseconds since the owner's last sign of life; `undefined`: the lock is gone. */
async function silentForMs(path: string): Promise<number | undefined> {
  try {
    return Date.now() - (await stat(path)).mtimeMs
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Runs `work` as the lock's owner; `waiting` is called once if somebody else has it. */
export async function withLock<T>(path: string, waiting: () => void, work: () => Promise<T>): Promise<T> {
  let told = false
  while (!tryCreate(path)) {
    const silent = await silentForMs(path)
    if (silent !== undefined && silent > DEAD_AFTER_MS) {
      await rm(path, { force: true })
      continue
    }
    if (!told) waiting()
    told = true
    await sleep(500)
  }
  const touch = setInterval(() => {
    const now = new Date()
    // Somebody removed the lock (took it over, cleaned the cache): go on, the rename decides.
    utimes(path, now, now).catch(() => undefined)
  }, TOUCH_EVERY_MS)
  touch.unref()
  try {
    return await work()
  } finally {
    clearInterval(touch)
    await rm(path, { force: true })
  }
}
