import { seededRandom } from '../generator/random.ts';
import { EventLog } from './event-log.ts';
import { Scheduler } from './scheduler.ts';

/** In microseconds of virtual time. */
export const second = 1_000_000;

/** Virtual time with nothing in it yet, for tests of what lives in it. */
export function emptyWorld(seed = 1) {
  const log = new EventLog();
  return { log, scheduler: new Scheduler(log), random: seededRandom(seed, 'test') };
}
