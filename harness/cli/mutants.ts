import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Argv } from 'yargs';
import { runId } from '../../results/store/layout.ts';
import { type Ablated, ablation, ablationMarkdown } from '../mutants/ablation.ts';
import { mutants } from '../mutants/catalog.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { realRuns } from '../mutants/real-runs.ts';
import { simulatedRuns } from '../mutants/simulated-runs.ts';
import { foundByRow, isGood, markdown, type Row, type Table } from '../mutants/table.ts';
import type { Mode, Trial } from '../mutants/trial.ts';
import { simulatedKinds } from '../simulate/plan.ts';
import { exitCodes } from './exit.ts';
import { duration, integer, oneOf, someOf, text } from './flags.ts';
import { interruptible } from './interruptible.ts';
import { UsageError } from './usage-error.ts';

const worlds = new Map([
  ['sim', 'sim' as const],
  ['real', 'real' as const],
]);

function flags(yargs: Argv) {
  return yargs
    .option('world', {
      describe: 'Where they are run: sim (deterministic simulation) or real (processes)',
      default: 'sim',
      requiresArg: true,
      coerce: oneOf('world', worlds),
    })
    .option('only', {
      describe: 'Only these, separated by commas',
      requiresArg: true,
      coerce: someOf('only', [...mutants.keys()]),
    })
    .option('budget', {
      describe: 'For each of them, and for the unmutated system',
      default: '5m',
      requiresArg: true,
      coerce: duration('budget', 1000, 86_400_000),
    })
    .option('workers', {
      describe: 'Worker threads, for sim',
      defaultDescription: 'one a core',
      requiresArg: true,
      coerce: integer('workers', 1, 256),
    })
    .option('results', {
      describe: 'Where the table goes, and the folders of real runs',
      default: 'results/mutants',
      requiresArg: true,
      coerce: text('results'),
    })
    .option('ablation', {
      describe: 'Instead: each kind of fault alone, a few seeds each: which fault and which checker each mutant needs',
      type: 'boolean',
      default: false,
    })
    .option('json', { describe: 'Print the table as JSON', type: 'boolean', default: false });
}

export const mutantsCommand = {
  builder: (yargs: Argv) =>
    flags(yargs)
      .example('$0 mutants --budget 1m', 'all of them in simulation')
      .example('$0 mutants --world real --only local-read', 'one of them in real processes'),
  handler: (given: Flags) => (given.ablation ? ablate(given) : measure(given)),
};

type Flags = Awaited<ReturnType<typeof flags>['argv']>;

async function measure(given: Flags): Promise<number> {
  const { world, budget: budgetMs, results, json } = given;
  const { signal, release } = interruptible('ending the run that is under way, then telling what was seen so far');
  const started = new Date();
  const chosen = [...mutants.values()].filter(({ name }) => given.only?.includes(name) ?? true);
  const rows: Row[] = [];
  try {
    const unmutated = await tried(undefined, 'as-it-runs', budgetMs, given, signal);
    for (const mutant of chosen) {
      if (signal.aborted) break;
      const { name, breaks, source, isOwn, seenBy } = mutant;
      const row = { mutant: { name, breaks, source, isOwn, seenBy }, trials: await trialsOf(mutant, given, signal) };
      process.stderr.write(`${name}: ${foundByRow(row) ? 'found' : 'NOT found'} by ${seenBy.join(' or ')}\n`);
      rows.push(row);
    }
    const interrupted = signal.aborted;
    const table: Table = { world, started: started.toISOString(), budgetMs, interrupted, unmutated, rows };
    const path = write(results, runId(started, world), table, markdown(table));
    console.log(json ? JSON.stringify({ path, ...table }) : `${markdown(table)}\n${path}`);
    return isGood(table) ? exitCodes.valid : exitCodes.invalid;
  } finally {
    release();
  }
}

/** The budget bounds each mutant with each kind. Exit code 0: it was not interrupted. */
async function ablate(given: Flags): Promise<number> {
  const { budget: budgetMs, results, json } = given;
  if (given.world === 'real') throw new UsageError('--ablation is for simulation (--world sim)');
  const { signal, release } = interruptible('telling what was seen so far');
  const started = new Date();
  const chosen = [...mutants.values()].filter(({ name }) => given.only?.includes(name) ?? true);
  const cells: Ablated[] = [];
  try {
    const workers = given.workers ?? availableParallelism();
    for await (const cell of ablation(chosen, simulatedKinds, { budgetMs, workers, signal })) {
      process.stderr.write(`${cell.mutant} with ${cell.kind}: ${cell.trial.rowHits} of ${cell.trial.runs}\n`);
      cells.push(cell);
    }
    const path = write(results, runId(started, 'ablation'), cells, ablationMarkdown(cells));
    console.log(json ? JSON.stringify({ path, cells }) : `${ablationMarkdown(cells)}\n${path}`);
    return signal.aborted ? exitCodes.unknown : exitCodes.valid;
  } finally {
    release();
  }
}

/**
 * As it runs, where whatever finds it counts; and in simulation once more with assertions recorded, where the checker of
 * its row must find it.
 */
async function trialsOf(mutant: Mutant, given: Flags, signal: AbortSignal): Promise<readonly Trial[]> {
  if (given.world === 'real') return [await tried(mutant, 'as-it-runs', given.budget, given, signal)];
  return [
    await tried(mutant, 'as-it-runs', given.budget / 2, given, signal),
    await tried(mutant, 'assertions-recorded', given.budget / 2, given, signal),
  ];
}

function tried(
  mutant: Mutant | undefined,
  mode: Mode,
  budgetMs: number,
  given: Flags,
  signal: AbortSignal,
): Promise<Trial> {
  if (given.world === 'real') return realRuns({ mutant, budgetMs, runsRoot: given.results, signal });
  const workers = given.workers ?? availableParallelism();
  // An alarm of the unmutated system ends nothing: all of them are wanted.
  const until = mutant !== undefined && mode === 'as-it-runs' ? 'any' : 'row';
  return simulatedRuns({ mutant, mode, until, budgetMs, workers, signal });
}

/** @returns where the table for people is; the one for programs lies beside it */
function write(folder: string, name: string, table: unknown, text: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(table, null, 2)}\n`);
  const path = join(folder, `${name}.md`);
  writeFileSync(path, text);
  return path;
}
