import yargs from 'yargs';
import type { Op } from '../../checker/history/op.ts';
import type { Results } from '../../checker/verdict.ts';
import { readHistory, readTest } from '../../results/store/read.ts';
import { runTest } from '../runner/run.ts';
import { signatureOf } from '../simulate/signature.ts';
import { type Flags, flags, planOf } from './test.ts';

export interface Repeated {
  readonly runs: number;
  readonly valid: number;
  /** Runs in which something of what was wanted came up. */
  readonly cameBack: number;
  /** The folder of that with the fewest operations before it. */
  readonly best: string | undefined;
}

/**
 * Repeats a run of real processes with its seed and its options. Each repetition leaves a run folder of its own.
 * @param wanted `section:kind`; empty: whatever goes wrong
 */
export async function repeatReal(given: {
  readonly folder: string;
  readonly root: string;
  readonly times: number;
  readonly wanted: readonly string[];
  readonly signal: AbortSignal;
  readonly onRun: (number: number, results: Results) => void;
}): Promise<Repeated> {
  const { wanted, signal } = given;
  let [runs, valid, cameBack] = [0, 0, 0];
  let best: { readonly folder: string; readonly length: number } | undefined;
  for (let number = 1; number <= given.times && !signal.aborted; number++) {
    const { folder, results } = await runTest(await planOf(flagsOf(given.folder, given.root)), () => {}, signal);
    given.onRun(number, results);
    runs++;
    if (results.valid === true) valid++;
    const isSame = signatureOf(results).some((found) => wanted.length === 0 || wanted.includes(found));
    const length = isSame ? operationsUntil(results, readHistory(folder).records) : Number.POSITIVE_INFINITY;
    if (isSame) cameBack++;
    if (isSame && (best === undefined || length < best.length)) best = { folder, length };
  }
  return { runs, valid, cameBack, best: best?.folder };
}

/** The run's options as they would be typed. */
function flagsOf(folder: string, root: string): Flags {
  const { options } = readTest(folder);
  const words = Object.entries(options)
    .filter(([, value]) => value !== null)
    .flatMap(([name, value]) => [`--${name}`, Array.isArray(value) ? value.join(',') || 'none' : String(value)]);
  return flags(yargs([...words, '--results', root]).exitProcess(false)).parseSync();
}

/** How far into the history the first anomaly lies. */
function operationsUntil({ sections }: Results, history: readonly Op[]): number {
  const ends = Object.values(sections)
    .filter(({ valid }) => valid === false)
    .flatMap(({ anomalies }) => anomalies.filter(({ ops }) => ops.length > 0).map(({ ops }) => Math.max(...ops)));
  return Math.min(history.length, ...ends);
}
