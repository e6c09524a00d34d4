import { availableParallelism } from 'node:os';
import type { Argv } from 'yargs';
import { defaultRunsRoot } from '../../results/store/layout.ts';
import { findRun } from '../../results/store/read.ts';
import { readModes } from '../../system/client/index.ts';
import { seedBound } from '../generator/random.ts';
import { mutants } from '../mutants/catalog.ts';
import { plant } from '../mutants/plant.ts';
import { campaign } from '../simulate/campaign.ts';
import { keepRun } from '../simulate/keep-run.ts';
import { planFor, type SimulationOptions, simulatedKinds } from '../simulate/plan.ts';
import { ownSystem } from '../simulate/system-module.ts';
import type { Outcome } from '../simulate/worker.ts';
import { WorkerPool } from '../simulate/worker-pool.ts';
import { workloads } from '../workload/index.ts';
import { exitCodes } from './exit.ts';
import { duration, integer, oneOf, someOf, text } from './flags.ts';
import { interruptible } from './interruptible.ts';
import { likenessOf } from './likeness.ts';
import { showLine } from './progress.ts';
import { Tally } from './sim-tally.ts';
import { withinTime } from './time-limit.ts';

const onViolation = new Map([
  ['stop', 'stop'],
  ['record', 'record'],
] as const);

function flags(yargs: Argv) {
  return yargs
    .option('seeds', {
      describe: 'How many seeds',
      defaultDescription: '100, with --like 1000, or as many as fit the time limit',
      type: 'string',
      requiresArg: true,
      coerce: integer('seeds', 1, 1_000_000_000),
    })
    .option('seed', {
      describe: 'The first seed',
      default: '1',
      type: 'string',
      requiresArg: true,
      coerce: integer('seed', 0, seedBound - 1),
    })
    .option('time-limit', {
      describe: 'Begin no further seed after this much real time',
      type: 'string',
      requiresArg: true,
      coerce: duration('time-limit', 1000, 86_400_000),
    })
    .option('run-time', {
      describe: 'Virtual time in which clients begin operations, for each seed',
      default: '60s',
      type: 'string',
      requiresArg: true,
      coerce: duration('run-time', 1000, 86_400_000),
    })
    .option('workload', {
      describe: `What clients do: ${[...workloads.keys()].join(', ')}`,
      defaultDescription: 'register',
      type: 'string',
      requiresArg: true,
      coerce: oneOf('workload', workloads),
    })
    .option('nodes', {
      describe: 'Nodes',
      defaultDescription: 'drawn from the seed',
      type: 'string',
      requiresArg: true,
      coerce: integer('nodes', 1, 9),
    })
    .option('concurrency', {
      describe: 'Client threads',
      defaultDescription: 'drawn from the seed',
      type: 'string',
      requiresArg: true,
      coerce: integer('concurrency', 1, 100),
    })
    .option('rate', {
      describe: 'Operations a virtual second',
      default: '60',
      type: 'string',
      requiresArg: true,
      coerce: integer('rate', 1, 10_000),
    })
    .option('keys', {
      describe: 'Keys in use at a time',
      defaultDescription: 'drawn from the seed',
      type: 'string',
      requiresArg: true,
      coerce: integer('keys', 1, 1000),
    })
    .option('reads', {
      describe: `How clients read keys: ${readModes.join(', ')}`,
      defaultDescription: 'drawn from the seed, never serializable',
      type: 'string',
      requiresArg: true,
      coerce: oneOf('reads', new Map(readModes.map((mode) => [mode, mode]))),
    })
    .option('sessions', {
      describe: 'Clients send a write again while nobody knows what became of it, in a session',
      defaultDescription: 'drawn from the seed',
      type: 'boolean',
    })
    .option('op-timeout', {
      describe: 'How long a client waits for an answer',
      default: '2s',
      type: 'string',
      requiresArg: true,
      coerce: duration('op-timeout', 10, 60_000),
    })
    .option('nemesis', {
      describe: `Faults, separated by commas: ${simulatedKinds.join(', ')}; or none`,
      defaultDescription: 'drawn from the seed',
      type: 'string',
      requiresArg: true,
      coerce: someOf('nemesis', simulatedKinds),
    })
    .option('mutant', {
      describe: `Run the system with this planted bug: ${[...mutants.keys()].join(', ')}`,
      type: 'string',
      requiresArg: true,
      coerce: oneOf('mutant', mutants),
    })
    .option('on-violation', {
      describe:
        'A step of the nodes that breaks an invariant, or a node its own assertion: stop there; or record it and go on, so that the checkers show what becomes of it',
      default: 'stop',
      type: 'string',
      requiresArg: true,
      coerce: oneOf('on-violation', onViolation),
    })
    .option('like', {
      describe:
        'A run that failed, of real processes or simulated: search seeds with its workload, nodes, kinds of fault and planted bug until the same anomaly (section:kind) appears; options given beside it come first',
      type: 'string',
      requiresArg: true,
      coerce: text('like'),
    })
    .option('failures', {
      describe: 'Stop after so many failing seeds',
      default: '1',
      type: 'string',
      requiresArg: true,
      coerce: integer('failures', 1, 1_000_000),
    })
    .option('workers', {
      describe: 'Worker threads',
      defaultDescription: 'one a core',
      type: 'string',
      requiresArg: true,
      coerce: integer('workers', 1, 256),
    })
    .option('results', {
      describe: 'Where run folders of failing seeds go',
      default: defaultRunsRoot,
      type: 'string',
      requiresArg: true,
      coerce: text('results'),
    })
    .option('json', {
      describe: 'Print a line of JSON a seed, and a last one for all',
      type: 'boolean',
      default: false,
    });
}

export const simCommand = {
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 sim --seeds 1000', 'a thousand seeds on all cores')
      .example('$0 sim --seed 17 --seeds 1', 'one seed again: prints the same event hash')
      .example('$0 sim --like register', 'carry the latest failure of a real test into the simulator')
      .epilogue(
        'Exit code 0: every seed was valid; 1: one was not, with --like: the same anomaly was found; 2: neither, or interrupted.',
      ),
  handler: sim,
};

async function sim(given: Awaited<ReturnType<typeof flags>['argv']>): Promise<number> {
  const { seed: seedFirst, json } = given;
  const like = given.like === undefined ? undefined : likenessOf(findRun(given.results, given.like));
  if (like !== undefined && like.without.length > 0) {
    process.stderr.write(`not simulated, and left out: ${like.without.join(', ')}\n`);
  }
  const mutant = given.mutant ?? like?.mutant;
  const options: SimulationOptions = {
    workload: (given.workload ?? like?.workload)?.name ?? 'register',
    timeLimitMs: given['run-time'],
    ratePerS: given.rate,
    opTimeoutMs: given['op-timeout'],
    nodes: given.nodes ?? like?.nodes,
    concurrency: given.concurrency,
    keys: given.keys,
    reads: given.reads ?? like?.reads,
    sessions: given.sessions ?? like?.sessions,
    faults: given.nemesis ?? like?.faults,
    onViolation: given['on-violation'],
  };
  const systemFolder = mutant === undefined ? ownSystem : plant(mutant);
  const seedsDefault = like === undefined ? 100 : 1000;
  const seeds = given.seeds ?? (given['time-limit'] === undefined ? seedsDefault : Number.POSITIVE_INFINITY);
  const isWanted = ({ valid, anomalies }: Outcome) =>
    like === undefined ? valid !== true : anomalies.some(({ name }) => like.wanted.includes(name));
  const { signal, release } = interruptible('beginning no further seed');
  const began = performance.now();
  const tally = new Tally();
  const failing: Outcome[] = [];
  const endProgress = showLine(() => tally.line(performance.now() - began));
  const limit = given['time-limit'];
  const pool = new WorkerPool(systemFolder, given.workers ?? availableParallelism());
  try {
    await campaign({
      pool,
      options,
      seedFirst,
      seeds,
      signal: limit === undefined ? signal : withinTime(signal, limit),
      onOutcome(outcome) {
        tally.add(outcome);
        if (json) console.log(JSON.stringify(outcome));
        if (isWanted(outcome)) failing.push(outcome);
        return failing.length < given.failures;
      },
    });
  } finally {
    endProgress();
    release();
    await pool.close();
  }
  const folders: string[] = [];
  for (const { seed } of failing) {
    const kept = await keepRun({
      systemFolder,
      plan: planFor(options, seed),
      mutant: mutant?.name,
      root: given.results,
    });
    folders.push(kept.folder);
  }
  const elapsedMs = performance.now() - began;
  if (json) console.log(JSON.stringify({ ...tally.facts(elapsedMs), folders, ...(like && { wanted: like.wanted }) }));
  else {
    tell(tally, elapsedMs, failing, folders, seeds === 1);
    if (like !== undefined)
      console.log(`${like.wanted.join(' or ')} came in ${failing.length} of ${tally.seeds} seeds`);
  }
  if (tally.seeds === 0) return exitCodes.unknown;
  if (like !== undefined && failing.length === 0 && tally.invalid > 0) return exitCodes.unknown;
  if (tally.invalid > 0) return exitCodes.invalid;
  return tally.unknown > 0 || signal.aborted ? exitCodes.unknown : exitCodes.valid;
}

function tell(
  tally: Tally,
  elapsedMs: number,
  failing: readonly Outcome[],
  folders: readonly string[],
  one: boolean,
): void {
  for (const [at, { seed, troubles }] of failing.entries()) {
    for (const { section, valid, summary } of troubles) {
      console.log(`seed ${seed}: ${section} ${valid === false ? 'INVALID' : 'unknown'}: ${summary}`);
    }
    console.log(`  run     ${folders[at]}`);
    console.log(`  again   npx splitbrain replay ${folders[at]}`);
  }
  if (one) console.log(`event hash ${tally.lastHash}`);
  for (const line of tally.coverageLines()) console.log(line);
  console.log(tally.line(elapsedMs));
}
