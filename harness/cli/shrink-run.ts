import { availableParallelism } from 'node:os';
import { counted } from '../../checker/words.ts';
import { findRun } from '../../results/store/read.ts';
import { keepRun } from '../simulate/keep-run.ts';
import { shrink } from '../simulate/shrink.ts';
import { signatureOf } from '../simulate/signature.ts';
import { type Simulated, simulate } from '../simulate/simulation.ts';
import { loadSystem } from '../simulate/system-module.ts';
import { WorkerPool } from '../simulate/worker-pool.ts';
import { exitCodes } from './exit.ts';
import { interruptible } from './interruptible.ts';
import { type ModelFlags, refuseModel } from './model-flags.ts';
import { readSimulated } from './simulated-run.ts';
import { withinTime } from './time-limit.ts';
import { UsageError } from './usage-error.ts';

interface Given extends ModelFlags {
  /** The run. */
  readonly what: string;
  readonly anomaly?: string | undefined;
  readonly workers?: number | undefined;
  readonly out?: string | undefined;
  readonly 'time-limit': number;
  readonly results: string;
  readonly json: boolean;
}

/** Writes the smaller run's folder. Exit code 0 when there is one, 2 when the anomaly did not come back at all. */
export async function shrinkRun(given: Given): Promise<number> {
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
