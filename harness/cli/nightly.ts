import { randomInt } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Argv } from 'yargs';
import { defaultNightsRoot, runId } from '../../results/store/layout.ts';
import { seedBound } from '../generator/random.ts';
import { mutants } from '../mutants/catalog.ts';
import { type Config, ConfigError, parseConfig } from '../nightly/config.ts';
import { Journal } from '../nightly/journal.ts';
import { localHands } from '../nightly/local-hands.ts';
import { mergeNights } from '../nightly/merge.ts';
import { conductNight } from '../nightly/night.ts';
import { firstSeen, names, pastOf, readNights } from '../nightly/past.ts';
import { makeRoom } from '../nightly/retention.ts';
import { type Summary, summarySchema } from '../nightly/summary.ts';
import { Verbs } from '../nightly/verbs.ts';
import { writeNight } from '../nightly/write.ts';
import { codeVersion } from '../simulate/code-version.ts';
import { exitCodes } from './exit.ts';
import { duration, integer, oneOf, text } from './flags.ts';
import { interruptible } from './interruptible.ts';
import { UsageError } from './usage-error.ts';

function flags(yargs: Argv) {
  return yargs
    .positional('config', {
      describe: 'What to run; docs/nightly.md explains it',
      default: 'nightly.yaml',
      type: 'string',
      coerce: text('config'),
    })
    .option('budget', {
      describe: 'How long the night may take, instead of what the file says',
      type: 'string',
      requiresArg: true,
      coerce: duration('budget', 60_000, 604_800_000),
    })
    .option('seed', {
      describe: 'Decides the canary and the seeds of all jobs',
      defaultDescription: 'random',
      type: 'string',
      requiresArg: true,
      coerce: integer('seed', 0, seedBound - 1),
    })
    .option('shard', {
      describe: 'One part of a night that is split over machines: 2/8. Give all of them the same --seed',
      default: '1/1',
      type: 'string',
      requiresArg: true,
      coerce: shardOf,
    })
    .option('resume', {
      describe: 'Go on with the latest night, which was killed or interrupted, as it was begun',
      type: 'boolean',
      default: false,
    })
    .option('mutant', {
      describe: 'Run the system with this planted bug, as if it were a real one',
      type: 'string',
      requiresArg: true,
      coerce: oneOf('mutant', mutants),
    })
    .option('queue', {
      describe: 'Hand the jobs to `splitbrain worker` processes over this Redis: redis://HOST:PORT',
      type: 'string',
      requiresArg: true,
      coerce: text('queue'),
    })
    .option('keep', {
      describe: 'Nights whose passing runs are kept, instead of what the file says',
      type: 'string',
      requiresArg: true,
      coerce: integer('keep', 1, 10_000),
    })
    .option('max-disk', {
      describe: 'Megabytes that all nights together may take, instead of what the file says',
      type: 'string',
      requiresArg: true,
      coerce: integer('max-disk', 10, 1_000_000_000),
    })
    .option('results', {
      describe: 'Where nights go',
      default: defaultNightsRoot,
      type: 'string',
      requiresArg: true,
      coerce: text('results'),
    })
    .option('json', { describe: 'Print nightly.json', type: 'boolean', default: false });
}

function mergeFlags(yargs: Argv) {
  return yargs
    .positional('nights', { describe: 'Folders of the shards', type: 'string', array: true, demandOption: true })
    .option('results', {
      describe: 'Where the whole night goes',
      default: defaultNightsRoot,
      type: 'string',
      requiresArg: true,
      coerce: text('results'),
    })
    .option('json', { describe: 'Print nightly.json', type: 'boolean', default: false });
}

export const nightlyCommand = {
  /** @param ended is given the exit code of `nightly merge` */
  builder: (yargs: Argv, ended: (code: number) => void) =>
    flags(yargs)
      .command('merge <nights..>', 'Make one night of its shards', mergeFlags, (argv) => merge(argv).then(ended))
      .example('$0 nightly', 'the night of nightly.yaml')
      .example('$0 nightly --budget 10m --mutant ack-before-commit', 'what a real bug would look like')
      .example('$0 nightly --resume', 'go on after a crash')
      .example('$0 nightly merge shards/*', 'after a CI matrix'),
  handler: nightly,
};

type Flags = Awaited<ReturnType<typeof flags>['argv']>;

async function nightly(given: Flags): Promise<number> {
  const root = resolve(given.results);
  mkdirSync(root, { recursive: true });
  const { id, configPath } = given.resume ? latest(root) : begin(root, given.config, given.seed);
  const folder = join(root, id);
  const journal = new Journal(join(folder, names.journal));
  const written = readConfig(configPath);
  const settings = journal.settings ?? {
    budgetMs: given.budget ?? written.budget,
    shard: given.shard,
    mutant: given.mutant?.name ?? null,
  };
  const config = { ...written, budget: settings.budgetMs };
  const seed = Number(id.split('-').at(-1));
  const nights = readNights(root).filter((night) => night.id !== id);
  const code = codeVersion();
  const { signal, release } = interruptible('ending the jobs that are under way; --resume goes on later');
  const runsRoot = join(folder, names.runs);
  const verbs = await Verbs.start();
  const queue =
    given.queue === undefined
      ? undefined
      : // Its library is loaded where it is needed: every other verb would wait for it.
        await (await import('../nightly/queue-hands.ts')).queueHands({
          url: given.queue,
          night: id,
          code,
          config,
          verbs,
          runsRoot,
          signal,
        });
  try {
    const summary = await conductNight({
      id,
      config,
      seed,
      shard: settings.shard,
      mutant: settings.mutant,
      past: pastOf(nights, code),
      firstSeen: firstSeen(nights),
      code,
      journal,
      hands: queue ?? localHands(verbs, config, runsRoot, signal),
      hindrance: () =>
        makeRoom({
          root,
          keep: given.keep ?? config.keep,
          bytesMax: given['max-disk'] === undefined ? config['max-disk'] : given['max-disk'] * 1e6,
        }),
      tell: (line) => process.stderr.write(`${line}\n`),
      signal,
    });
    return tell(root, summary, given.json);
  } finally {
    journal.close();
    await queue?.close();
    await verbs.close();
    release();
  }
}

async function merge(given: Awaited<ReturnType<typeof mergeFlags>['argv']>): Promise<number> {
  const shards = given.nights.map((folder): Summary => {
    const path = join(folder, names.summary);
    if (!existsSync(path)) throw new UsageError(`${path}: no such file; give the folders of nights that are over`);
    const parsed = summarySchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    if (!parsed.success) throw new UsageError(`${path}: not a night's summary of this version`);
    return parsed.data;
  });
  const root = resolve(given.results);
  return tell(root, mergeNights(runId(new Date(), shards[0]?.seed ?? 0), shards), given.json);
}

function tell(root: string, summary: Summary, json: boolean): number {
  const { folder, index } = writeNight(root, summary);
  if (json) console.log(JSON.stringify(summary));
  else {
    console.log(readFileSync(join(folder, names.markdown), 'utf8'));
    console.log(`night  ${folder}\npage   ${index}`);
  }
  return { green: exitCodes.valid, red: exitCodes.invalid, unknown: exitCodes.unknown }[summary.colour];
}

/** A new night's folder, with its configuration as it is now. */
function begin(root: string, config: string, seed: number = randomInt(seedBound)) {
  readConfig(config);
  const id = runId(new Date(), seed);
  mkdirSync(join(root, id, names.runs), { recursive: true });
  const configPath = join(root, id, names.config);
  copyFileSync(config, configPath);
  return { id, configPath };
}

function latest(root: string) {
  const id = readdirSync(root)
    .filter((name) => existsSync(join(root, name, names.journal)))
    .sort()
    .at(-1);
  if (id === undefined) throw new UsageError(`--resume: there is no night in ${root}`);
  return { id, configPath: join(root, id, names.config) };
}

function readConfig(path: string): Config {
  if (!existsSync(path)) throw new UsageError(`${path}: no such file; docs/nightly.md shows one`);
  try {
    return parseConfig(readFileSync(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
}

function shardOf(given: unknown): { readonly number: number; readonly of: number } {
  const [, number = '', of = ''] = /^(\d{1,4})\/(\d{1,4})$/.exec(String(given)) ?? [];
  if (Number(number) >= 1 && Number(number) <= Number(of)) return { number: Number(number), of: Number(of) };
  throw new UsageError(`--shard ${given}: must be such as 2/8`);
}
