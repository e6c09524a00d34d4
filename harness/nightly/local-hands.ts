import { availableParallelism } from 'node:os';
import type { Config } from './config.ts';
import { followUp } from './follow-up.ts';
import type { Hands } from './night.ts';
import { perform } from './perform.ts';
import type { Verbs } from './verbs.ts';

const shrinkMs = 100_000;

/** This machine's cores: a simulation takes one of them, a real cluster and a hunt for a mutant take them all. */
export function localHands(verbs: Verbs, config: Config, runsRoot: string, signal: AbortSignal): Hands {
  const lanes = config.workers ?? availableParallelism();
  return {
    lanes,
    lanesOf: ({ type }) => (type === 'sim' ? 1 : lanes),
    perform: (job) =>
      perform(job, {
        verbs,
        runsRoot,
        leastOperations: config['least-operations'],
        workers: job.type === 'sim' ? 1 : lanes,
        signal,
      }),
    followUp: (job, failure) =>
      followUp(job.type, failure, { verbs, runsRoot, shrinkMs, replays: config.replays, signal }),
  };
}
