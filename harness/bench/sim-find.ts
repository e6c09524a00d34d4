import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

/** Planted bugs that a simulation must find in no time. */
const MUTANTS = [
  'local-read',
  'ack-before-commit',
  'vote-not-durable',
  'apply-uncommitted',
  'commit-prior-term-by-count',
];
const MEDIAN_S_MAX = 10;
/** A start that has found nothing by then counts as this long. */
const LIMIT_S = 120;
/** Far enough apart that no two starts come to the same seed. */
const SEEDS_APART = 1000;

const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));

/**
 * How long a person waits for a planted bug: `splitbrain sim --mutant …` from its start to its end, with the run folder
 * and the report written, from other first seeds each time; everything else is drawn.
 * @param starts for each bug
 */
export async function* findBench(starts: number): AsyncGenerator<string> {
  yield `planted bugs in simulation: ${starts} fresh starts each, by the wall clock, at most ${LIMIT_S} s`;
  yield 'mutant | found | median s | least | most | seeds, median | target';
  for (const mutant of MUTANTS) {
    const found: Found[] = [];
    for (let start = 0; start < starts; start++) found.push(await find(mutant, 1 + start * SEEDS_APART));
    yield row(mutant, found);
  }
}

interface Found {
  readonly isFound: boolean;
  readonly seconds: number;
  readonly seeds: number;
}

async function find(mutant: string, seed: number): Promise<Found> {
  const results = mkdtempSync(join(tmpdir(), 'splitbrain-find-'));
  const began = performance.now();
  try {
    const args = ['sim', '--mutant', mutant, '--seed', `${seed}`, '--time-limit', `${LIMIT_S}s`, '--results', results];
    const { exitCode, stdout } = await execa(process.execPath, [program, ...args, '--json'], { reject: false });
    const seconds = (performance.now() - began) / 1000;
    // A line a seed, and one for all.
    return { isFound: exitCode === 1, seconds, seeds: stdout.trim().split('\n').length - 1 };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

function row(mutant: string, all: readonly Found[]): string {
  const seconds = all.map((one) => (one.isFound ? one.seconds : Math.max(LIMIT_S, one.seconds)));
  const median = medianOf(seconds);
  return [
    mutant,
    `${all.filter(({ isFound }) => isFound).length} of ${all.length}`,
    median.toFixed(1),
    Math.min(...seconds).toFixed(1),
    Math.max(...seconds).toFixed(1),
    medianOf(all.map(({ seeds }) => seeds)).toFixed(1),
    `<= ${MEDIAN_S_MAX} s: ${median <= MEDIAN_S_MAX ? 'met' : 'missed'}`,
  ].join(' | ');
}

function medianOf(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
