import { mkdirSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'bullmq';
import { codeVersion } from '../simulate/code-version.ts';
import { type JobResult, troubled } from './job.ts';
import { pack } from './pack.ts';
import { perform } from './perform.ts';
import { claimMs, lostWorkersMax, packedBytesMax, type QueueAnswer, queueName, redisOf, taskSchema } from './queue.ts';
import type { Verbs } from './verbs.ts';

export interface WorkOptions {
  readonly url: string;
  readonly verbs: Verbs;
  /** Where its runs lie until they are sent; failing ones are removed then. */
  readonly runsRoot: string;
  readonly tell: (line: string) => void;
  /** Finishes nothing further; what is under way is given back. */
  readonly signal: AbortSignal;
}

/** Does jobs of nights, one at a time with all cores, until it is told to end. */
export async function work({ url, verbs, runsRoot, tell, signal }: WorkOptions): Promise<void> {
  mkdirSync(runsRoot, { recursive: true });
  const code = codeVersion();
  const worker = new Worker(
    queueName,
    async ({ data }): Promise<QueueAnswer> => {
      const { job, code: wanted, leastOperations } = taskSchema.parse(data);
      if (wanted !== code) {
        return { result: troubled(job, new Date(), `a worker has other code: ${code}, not ${wanted}`), packed: [] };
      }
      tell(`${job.id}  ${job.cell}`);
      const result = await perform(job, { verbs, runsRoot, leastOperations, workers: availableParallelism(), signal });
      // Not done: the claim runs out, and another worker does it.
      if (signal.aborted) throw new Error('its worker was ended');
      tell(`${job.id}  ${result.valid} valid, ${result.invalid} invalid, ${result.unknown} unknown`);
      return { result, packed: packedOf(result) };
    },
    {
      connection: redisOf(url),
      concurrency: 1,
      lockDuration: claimMs,
      stalledInterval: claimMs / 3,
      maxStalledCount: lostWorkersMax,
    },
  );
  worker.on('error', (error) => tell(error.message));
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await worker.close();
}

function packedOf({ failures }: JobResult): (string | null)[] {
  return failures.map(({ folder }) => {
    const packed = pack(folder, packedBytesMax);
    rmSync(folder, { recursive: true, force: true });
    return packed;
  });
}
