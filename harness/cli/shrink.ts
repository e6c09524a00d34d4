import type { Argv } from 'yargs';
import { defaultRunsRoot } from '../../results/store/layout.ts';
import { duration, integer, text } from './flags.ts';
import { isFile } from './history-file.ts';
import { modelFlags } from './model-flags.ts';
import { shrinkFile } from './shrink-history.ts';
import { UsageError } from './usage-error.ts';

function flags(yargs: Argv) {
  return modelFlags(yargs)
    .positional('what', {
      describe:
        'The run folder of a simulated run that failed, a test (its latest run), latest, a history file, or - for standard input',
      default: 'latest',
      type: 'string',
      coerce: text('what'),
    })
    .option('anomaly', {
      describe: 'What must stay, section:kind as in results.json',
      defaultDescription: 'the first that is found',
      type: 'string',
      requiresArg: true,
      coerce: text('anomaly'),
    })
    .option('time-limit', {
      describe: 'Try nothing further after this much real time',
      default: '100s',
      type: 'string',
      requiresArg: true,
      coerce: duration('time-limit', 1000, 86_400_000),
    })
    .option('workers', {
      describe: 'For a run: worker threads',
      defaultDescription: 'one a core',
      type: 'string',
      requiresArg: true,
      coerce: integer('workers', 1, 256),
    })
    .option('out', {
      describe: 'For a history file: where the smaller one goes',
      defaultDescription: 'NAME.shrunk.ndjson, beside it',
      type: 'string',
      requiresArg: true,
      coerce: text('out'),
    })
    .option('results', {
      describe: 'Where run folders are, and the smaller one goes',
      default: defaultRunsRoot,
      type: 'string',
      requiresArg: true,
      coerce: text('results'),
    })
    .option('json', { describe: 'Print the outcome as JSON', type: 'boolean', default: false });
}

export const shrinkCommand = {
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 shrink sim-local-read', 'the latest run of that test')
      .example('$0 shrink history.edn --model list-append', 'fewer operations with the same kind of anomaly'),
  handler: async (given: Awaited<ReturnType<typeof flags>['argv']>) => {
    // The simulator takes longer to load than most histories take to shrink.
    if (!isFile(given.what)) return (await import('./shrink-run.ts')).shrinkRun(given);
    if (given.workers !== undefined) throw new UsageError('--workers is for runs; a history is shrunk by one thread');
    return shrinkFile(given);
  },
};
