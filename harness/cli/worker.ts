import { resolve } from 'node:path';
import type { Argv } from 'yargs';
import { redisOf } from '../nightly/queue.ts';
import { Verbs } from '../nightly/verbs.ts';
import { exitCodes } from './exit.ts';
import { text } from './flags.ts';
import { interruptible } from './interruptible.ts';
import { UsageError } from './usage-error.ts';

function flags(yargs: Argv) {
  return yargs
    .option('queue', {
      describe: 'The Redis that hands out the jobs: redis://HOST:PORT',
      type: 'string',
      demandOption: true,
      requiresArg: true,
      coerce: text('queue'),
    })
    .option('results', {
      describe: 'Where its runs lie until they are sent',
      default: 'results/worker',
      type: 'string',
      requiresArg: true,
      coerce: text('results'),
    });
}

export const workerCommand = {
  builder: (yargs: Argv) => flags(yargs).example('$0 worker --queue redis://10.0.0.7:6379', 'on each machine'),
  handler,
};

async function handler({ queue, results }: Awaited<ReturnType<typeof flags>['argv']>): Promise<number> {
  try {
    redisOf(queue);
  } catch (error) {
    throw new UsageError(`--queue ${error instanceof Error ? error.message : error}`);
  }
  // Its library is loaded where it is needed: every other verb would wait for it.
  const { work } = await import('../nightly/queue-worker.ts');
  const { signal, release } = interruptible('giving back the job that is under way');
  const verbs = await Verbs.start();
  try {
    await work({
      url: queue,
      verbs,
      runsRoot: resolve(results),
      tell: (line) => process.stderr.write(`${line}\n`),
      signal,
    });
    return exitCodes.valid;
  } finally {
    await verbs.close();
    release();
  }
}
