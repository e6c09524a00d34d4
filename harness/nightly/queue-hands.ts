import { join } from 'node:path';
import { Queue, QueueEvents } from 'bullmq';
import { safeName } from '../../results/store/layout.ts';
import type { Config } from './config.ts';
import { followUp } from './follow-up.ts';
import { type Job, type JobResult, troubled } from './job.ts';
import type { Hands } from './night.ts';
import { unpack } from './pack.ts';
import { answerSchema, type QueueTask, queueName, redisOf } from './queue.ts';
import type { Verbs } from './verbs.ts';

const shrinkMs = 100_000;
/** A job may wait for a worker, be lost by some and be done again. */
const waitMs = 1_800_000;

export interface QueueOptions {
  readonly url: string;
  readonly night: string;
  readonly code: string;
  readonly config: Config;
  readonly verbs: Verbs;
  readonly runsRoot: string;
  readonly signal: AbortSignal;
}

/**
 * Hands out jobs over Redis to any number of `splitbrain worker` processes. A job is known by its night and number, so
 * that however often it is handed out it counts once. Failures are looked into here.
 */
export async function queueHands(options: QueueOptions): Promise<Hands & { close(): Promise<void> }> {
  const { url, night, code, config, verbs, runsRoot, signal } = options;
  const connection = redisOf(url);
  const queue = new Queue(queueName, { connection });
  const events = new QueueEvents(queueName, { connection });
  // Whoever waits for a job gets the error; an emitter without a listener would end the process.
  queue.on('error', () => {});
  events.on('error', () => {});
  await events.waitUntilReady();
  const stopped = aborted(signal);
  stopped.catch(() => {}); // Whoever waits is told.
  // One more than there are workers, so that none waits for the next; jobs that nobody takes would outlive the night.
  const lanes = config.workers ?? (await queue.getWorkersCount()) + 1;
  queue.setMaxListeners(lanes + 10);
  events.setMaxListeners(lanes * 4 + 10);

  async function ask(job: Job): Promise<JobResult> {
    const startedAt = new Date();
    const task: QueueTask = { job, code, leastOperations: config['least-operations'] };
    const queued = await queue.add(job.type, task, {
      jobId: `${safeName(night)}_${job.id}`,
      attempts: 1,
      removeOnComplete: { age: 86_400 },
      removeOnFail: { age: 86_400 },
    });
    try {
      const value: unknown = await Promise.race([queued.waitUntilFinished(events, waitMs), stopped]);
      const { result, packed } = answerSchema.parse(value);
      return { ...result, failures: result.failures.map((failure, at) => here(failure, packed[at], runsRoot)) };
    } catch (error) {
      return troubled(job, startedAt, error instanceof Error ? error.message : String(error));
    }
  }

  return {
    lanes,
    lanesOf: () => 1,
    perform: ask,
    followUp: (job, failure) =>
      followUp(job.type, failure, { verbs, runsRoot, shrinkMs, replays: config.replays, signal }),
    async close() {
      await Promise.all([queue.close(), events.close()]);
    },
  };
}

/** A failure whose folder lies here. */
function here(failure: JobResult['failures'][number], packed: string | null | undefined, runsRoot: string) {
  if (packed === null || packed === undefined) return failure;
  const [test = 'run', run = 'run'] = failure.folder.split(/[\\/]/).slice(-2);
  const folder = join(runsRoot, safeName(test), safeName(run));
  unpack(packed, folder);
  return { ...failure, folder };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new Error('interrupted'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });
}
