import { z } from 'zod';
import { jobResultSchema, jobSchema } from './job.ts';

/** The queue's name on Redis. Nights and their workers meet there. */
export const queueName = 'splitbrain-nightly';

/** What is sent to a worker. */
export const taskSchema = z.object({
  job: jobSchema,
  /** The digest of the source; a worker with another one refuses. */
  code: z.string(),
  leastOperations: z.number(),
});

export type QueueTask = z.infer<typeof taskSchema>;

/** What comes back: the result, and the folders of failing runs. */
export const answerSchema = z.object({ result: jobResultSchema, packed: z.array(z.string().nullable()) });

export type QueueAnswer = z.infer<typeof answerSchema>;

/** Of one run's folder. */
export const packedBytesMax = 48 << 20;

/** A job whose worker did not renew its claim for so long is given to another. */
export const claimMs = 15_000;

/** So often a job may lose its worker before it is given up. */
export const lostWorkersMax = 5;

/**
 * @param url `redis://[user:password@]host[:port][/db]`
 * @throws RangeError for anything else
 */
export function redisOf(url: string): {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly db: number;
  readonly maxRetriesPerRequest: null;
} {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'redis:' || parsed.hostname === '' || !/^\/?\d{0,3}$/.test(parsed.pathname)) {
    throw new RangeError(`${url}: must be such as redis://127.0.0.1:6379`);
  }
  return {
    host: parsed.hostname,
    port: Number(parsed.port || 6379),
    ...(parsed.username !== '' && { username: decodeURIComponent(parsed.username) }),
    ...(parsed.password !== '' && { password: decodeURIComponent(parsed.password) }),
    db: Number(parsed.pathname.slice(1) || 0),
    maxRetriesPerRequest: null,
  };
}
