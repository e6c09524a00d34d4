import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { validSchema } from '../../results/store/schema.ts';
import type { Mutant } from './mutant.ts';
import { isSwarm, type Outcome, type Trial, TrialTally, workloadOf } from './trial.ts';

export interface RealRuns {
  /** Undefined: the system as it is. */
  readonly mutant: Mutant | undefined;
  readonly budgetMs: number;
  /** Where the run folders go. */
  readonly runsRoot: string;
  readonly signal: AbortSignal;
}

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const outputBytesMax = 256 << 20;

const verdict = z.object({
  folder: z.string(),
  sections: z.record(z.string(), z.object({ valid: validSchema, summary: z.string() })),
});

/**
 * `splitbrain test` with seeds 1, 2, 3 …, half of them with its default faults and half with swarms, until the mutant
 * is found; begins no further run when the budget is spent.
 */
export async function realRuns({ mutant, budgetMs, runsRoot, signal }: RealRuns): Promise<Trial> {
  const tally = new TrialTally('as-it-runs', mutant);
  const until = performance.now() + budgetMs;
  let found = false;
  for (let seed = 1; !found && !signal.aborted && performance.now() < until; seed++) {
    found = tally.add(await run(mutant, seed, runsRoot));
  }
  return tally.trial();
}

async function run(mutant: Mutant | undefined, seed: number, runsRoot: string): Promise<Outcome> {
  const workload = workloadOf(seed);
  const words = ['test', '--json', '--seed', String(seed), '--workload', workload, '--results', runsRoot];
  if (isSwarm(seed)) words.push('--nemesis', 'swarm');
  if (mutant !== undefined) words.push('--mutant', mutant.name);
  const { output, trouble } = await standardOutput(words);
  try {
    const { folder, sections } = verdict.parse(JSON.parse(output));
    const found = Object.entries(sections)
      .filter(([, { valid }]) => valid === false)
      .map(([section, { summary }]) => ({ section, summary }));
    return { seed, workload, found, folder };
  } catch (error) {
    const failure = trouble.trim().split('\n').at(-1) || String(error);
    return { seed, workload, found: [], failure };
  }
}

/** An interrupt reaches the run too, and lets it end its nodes; so nothing else ends it. */
function standardOutput(words: readonly string[]): Promise<{ readonly output: string; readonly trouble: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], { maxBuffer: outputBytesMax }, (_, output, trouble) =>
      resolve({ output, trouble }),
    );
  });
}
