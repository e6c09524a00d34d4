import { join } from 'node:path';
import { z } from 'zod';
import { readHistory, readResults, readTest } from '../../results/store/read.ts';
import { validSchema } from '../../results/store/schema.ts';
import { signatureOf as anomaliesOf } from '../simulate/signature.ts';
import { type Failure, type Job, type JobResult, troubled } from './job.ts';
import { deepest, signatureOf } from './signature.ts';
import type { Said, Verbs } from './verbs.ts';

/** What setting up, healing and judging may take beyond the time that a job is given. */
const overheadMs = 180_000;
const reasonsMax = 5;
/** A job stops at so many failing seeds: more of one cell say little more. */
const failuresMax = 5;

const seedSchema = z.object({
  seed: z.number(),
  valid: validSchema,
  troubles: z.array(z.object({ section: z.string(), summary: z.string() })),
  operations: z.number(),
  virtualMs: z.number(),
});

const campaignSchema = z.object({
  seeds: z.number(),
  coverage: z.record(z.string(), z.number()),
  folders: z.array(z.string()),
});

const runSchema = z.object({
  folder: z.string(),
  valid: validSchema,
  sections: z.record(
    z.string(),
    z.object({ valid: validSchema, summary: z.string(), counts: z.record(z.string(), z.number()).optional() }),
  ),
});

const mutantsSchema = z.object({
  rows: z.array(
    z.object({
      trials: z.array(z.object({ runs: z.number(), firstByRow: z.object({ seconds: z.number() }).optional() })),
    }),
  ),
  unmutated: z.object({ runs: z.number(), hits: z.number() }),
});

export interface PerformOptions {
  readonly verbs: Verbs;
  /** Where run folders go. */
  readonly runsRoot: string;
  /** A run with fewer successful operations is unknown. */
  readonly leastOperations: number;
  /** Threads for a simulation and a hunt. */
  readonly workers: number;
  readonly signal: AbortSignal;
}

/** Does one job. Whatever goes wrong with it is in the result. */
export async function perform(job: Job, options: PerformOptions): Promise<JobResult> {
  const startedAt = new Date();
  try {
    const said = await options.verbs.run(wordsOf(job, options), job.timeLimitMs + overheadMs, options.signal);
    const came = resultOf(job, said, options.leastOperations);
    return { ...troubled(job, startedAt, ''), trouble: null, ...came };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return troubled(job, startedAt, message.split('\n')[0] ?? '');
  }
}

/** The command line that does a job. */
function wordsOf(job: Job, { runsRoot, workers }: Pick<PerformOptions, 'runsRoot' | 'workers'>): readonly string[] {
  const common = ['--json', '--results', runsRoot];
  if (job.type === 'mutant') {
    const folder = join(runsRoot, 'mutants');
    const limits = ['--budget', `${job.timeLimitMs}ms`, '--workers', String(workers)];
    return ['mutants', '--json', '--results', folder, '--only', job.mutant, ...limits];
  }
  const faults = job.faults === null ? [] : ['--nemesis', job.faults.join(',') || 'none'];
  const mutant = job.mutant === null ? [] : ['--mutant', job.mutant];
  const shared = ['--workload', job.workload, '--seed', String(job.seed), '--time-limit', `${job.timeLimitMs}ms`];
  if (job.type === 'sim') {
    const extent = ['--seeds', String(job.seeds), '--failures', String(failuresMax), '--workers', String(workers)];
    return ['sim', ...common, ...shared, ...extent, ...faults, ...mutant];
  }
  return ['test', ...common, ...shared, '--target', job.target, ...job.flags, ...faults, ...mutant];
}

type Came = Partial<JobResult>;

function resultOf(job: Job, said: Said, leastOperations: number): Came {
  const last = said.lines.at(-1);
  if (last === undefined) throw new Error(said.trouble || `exit code ${said.code} without a word`);
  switch (job.type) {
    case 'sim':
      return seedsOf(said.lines.slice(0, -1), last, leastOperations);
    case 'real':
      return runOf(last, leastOperations);
    case 'mutant':
      return huntOf(last);
  }
}

function seedsOf(lines: readonly unknown[], last: unknown, leastOperations: number): Came {
  const { coverage, folders } = campaignSchema.parse(last);
  const seeds = lines.map((line) => seedSchema.parse(line));
  const judged = seeds.map((seed) => ({ ...seed, ...judge(seed.valid, seed.operations, leastOperations) }));
  return {
    ...counted(judged.map((one) => one.verdict)),
    operations: sum(seeds.map(({ operations }) => operations)),
    virtualMs: sum(seeds.map(({ virtualMs }) => virtualMs)),
    coverage,
    reasons: few(
      judged.flatMap(({ seed, verdict, few: reason, troubles }) =>
        verdict === 'unknown' ? [`seed ${seed}: ${reason ?? troubles[0]?.summary ?? 'unknown'}`] : [],
      ),
    ),
    failures: folders.flatMap(failureIn),
  };
}

function runOf(last: unknown, leastOperations: number): Came {
  const { folder, valid: verdictOfRun, sections } = runSchema.parse(last);
  const operations = sections.operations?.counts?.ok ?? 0;
  const { verdict, few: reason } = judge(verdictOfRun, operations, leastOperations);
  const doubts = Object.entries(sections).flatMap(([name, section]) =>
    section.valid === 'unknown' ? [`${name}: ${section.summary}`] : [],
  );
  return {
    ...counted([verdict]),
    operations,
    reasons: verdict === 'unknown' ? few([...(reason === undefined ? [] : [reason]), ...doubts]) : [],
    failures: verdict === false ? failureIn(folder) : [],
  };
}

/** The unmutated system runs first in it, under the same plan. */
function huntOf(last: unknown): Came {
  const { rows, unmutated } = mutantsSchema.parse(last);
  const first = rows.flatMap(({ trials }) => trials).find(({ firstByRow }) => firstByRow !== undefined)?.firstByRow;
  if (unmutated.runs === 0) throw new Error('the unmutated system was not run');
  if (unmutated.hits > 0) {
    const reason = `${unmutated.hits} alarms in ${unmutated.runs} runs of the system without the planted bug`;
    return { invalid: 1, reasons: [reason] };
  }
  return first === undefined ? { unknown: 1 } : { valid: 1, found: { seconds: first.seconds, by: 'its row' } };
}

function judge(
  verdict: boolean | 'unknown',
  operations: number,
  least: number,
): { readonly verdict: boolean | 'unknown'; readonly few?: string } {
  if (verdict !== true || operations >= least) return { verdict };
  return { verdict: 'unknown', few: `only ${operations} operations succeeded, at least ${least} are wanted` };
}

/** Nothing for a folder whose run was unknown. */
function failureIn(folder: string): Failure[] {
  const results = readResults(folder);
  if (results.valid !== false) return [];
  const { seed, started } = readTest(folder);
  const [name = '', section] = deepest(results) ?? [];
  return [
    {
      signature: signatureOf(results, readHistory(folder).records),
      anomalies: [...anomaliesOf(results)],
      seed: Number(seed),
      summary: `${name}: ${section?.summary}`,
      folder,
      at: started,
    },
  ];
}

function counted(verdicts: readonly (boolean | 'unknown')[]) {
  const count = (wanted: boolean | 'unknown') => verdicts.filter((verdict) => verdict === wanted).length;
  return { valid: count(true), invalid: count(false), unknown: count('unknown') };
}

function few(reasons: readonly string[]): string[] {
  return [...new Set(reasons)].slice(0, reasonsMax);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
