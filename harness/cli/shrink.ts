import { availableParallelism } from 'node:os';
import type { Argv } from 'yargs';
import { counted } from '../../checker/words.ts';
import { defaultRunsRoot } from '../../results/store/layout.ts';
import { findRun } from '../../results/store/read.ts';
import { keepRun } from '../simulate/keep-run.ts';
import { shrink } from '../simulate/shrink.ts';
import { signatureOf } from '../simulate/signature.ts';
import { type Simulated, simulate } from '../simulate/simulation.ts';
import { loadSystem } from '../simulate/system-module.ts';
import { WorkerPool } from '../simulate/worker-pool.ts';
import { isFile } from './check.ts';
import { exitCodes } from './exit.ts';
import { duration, integer, text } from './flags.ts';
import { interruptible } from './interruptible.ts';
import { modelFlags, refuseModel } from './model-flags.ts';
import { shrinkFile } from './shrink-history.ts';
import { readSimulated } from './simulated-run.ts';
import { withinTime } from './time-limit.ts';
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
  command: 'shrink [what]',
  describe: 'Make a failing simulated run, or any history, small while its anomaly stays',
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 shrink sim-local-read', 'the latest run of that test')
      .example('$0 shrink history.edn --model list-append', 'fewer operations with the same kind of anomaly'),
  handler: (given: Awaited<ReturnType<typeof flags>['argv']>) => {
    if (!isFile(given.what)) return shrinkRun(given);
    if (given.workers !== undefined) throw new UsageError('--workers is for runs; a history is shrunk by one thread');
    return shrinkFile(given);
  },
};

/** Writes the smaller run's folder. Exit code 0 when there is one, 2 when the anomaly did not come back at all. */
async function shrinkRun(given: Awaited<ReturnType<typeof flags>['argv']>): Promise<number> {
  refuseModel(given);
  if (given.out !== undefined) throw new UsageError('--out is for history files; a smaller run gets a folder');
  const began = performance.now();
  const folder = findRun(given.results, given.what);
  const { plan, mutant, systemFolder, codeDiffers } = readSimulated(folder);
  if (codeDiffers !== undefined) process.stderr.write(`${codeDiffers}\n`);
  const ran = await simulate(plan, await loadSystem(systemFolder));
  const found = signatureOf(ran.results);
  const wanted = given.anomaly ?? found[0];
  if (wanted === undefined) throw new UsageError(`${folder}: run again it shows no anomaly that could be shrunk`);
  if (!found.includes(wanted)) throw new UsageError(`--anomaly ${wanted}: the run shows ${found.join(', ') || 'none'}`);

  const { signal, release } = interruptible('keeping the smallest run so far');
  const pool = new WorkerPool(systemFolder, given.workers ?? availableParallelism());
  const shrunk = await shrink({
    pool,
    plan,
    ran,
    wanted,
    signal: withinTime(signal, given['time-limit']),
    onSmaller({ nodes, script, timeLimitMs }, tried) {
      const { operations, faults } = script;
      process.stderr.write(
        `${((performance.now() - began) / 1000).toFixed(1)} s  ${tried} tried  ${nodes} nodes, ${operations.length} operations, ${faults.length} faults, ${timeLimitMs / 1000} s\n`,
      );
    },
  }).finally(async () => {
    release();
    await pool.close();
  });
  if (shrunk.plan === undefined) {
    process.stderr.write(`${wanted} did not come back when the run was done again by script\n`);
    return exitCodes.unknown;
  }
  const kept = await keepRun({ systemFolder, plan: shrunk.plan, mutant, root: given.results });
  const facts = {
    wanted,
    from: sizeOf(ran, plan.nodes),
    to: sizeOf(kept.ran, shrunk.plan.nodes),
    tried: shrunk.tried,
    realS: Number(((performance.now() - began) / 1000).toFixed(1)),
    folder: kept.folder,
    report: kept.report,
  };
  if (given.json) console.log(JSON.stringify(facts));
  else tell(facts);
  return exitCodes.valid;
}

interface Size {
  /** Of clients, those after healing included. */
  readonly operations: number;
  readonly faults: number;
  readonly nodes: number;
  readonly clients: number;
  readonly virtualS: number;
}

function sizeOf({ history, faults, virtualMs }: Simulated, nodes: number): Size {
  const invoked = history.filter(({ process, type }) => process !== 'nemesis' && type === 'invoke');
  return {
    operations: invoked.length,
    faults: faults.filter(({ phase }) => phase === 'start').length,
    nodes,
    clients: new Set(invoked.map(({ process }) => process)).size,
    virtualS: virtualMs / 1000,
  };
}

function tell(facts: {
  readonly wanted: string;
  readonly from: Size;
  readonly to: Size;
  readonly tried: number;
  readonly realS: number;
  readonly folder: string;
  readonly report: string;
}): void {
  const { from, to } = facts;
  console.log(`${facts.wanted} stays; ${counted(facts.tried, 'candidate')} in ${facts.realS} s`);
  for (const name of ['operations', 'faults', 'nodes', 'clients', 'virtualS'] as const) {
    console.log(`  ${name.padEnd(10)} ${String(from[name]).padStart(8)} -> ${to[name]}`);
  }
  console.log(`  run     ${facts.folder}`);
  console.log(`  report  ${facts.report}`);
  console.log(`  again   npx splitbrain replay ${facts.folder}`);
}
