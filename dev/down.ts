/** `make down`: ends what `make up` started. Nothing to end is fine. */
import { ask } from './playground.ts'

const answer = await ask('stop')
console.error(answer === undefined ? 'cluster   was not up' : 'cluster   stopped, nothing is left')
