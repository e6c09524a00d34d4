import { Worker } from 'node:worker_threads';
import { ownSystem } from '../simulate/system-module.ts';
import type { Mutant } from './mutant.ts';
import { plant } from './plant.ts';
import type { RunnerTask } from './simulated-runner.ts';
import { type Mode, type Outcome, type Trial, TrialTally, type Until } from './trial.ts';

export interface SimulatedRuns {
  /** Undefined: the system as it is. */
  readonly mutant: Mutant | undefined;
  readonly mode: Mode;
  readonly until?: Until | undefined;
  readonly workers: number;
  readonly budgetMs: number;
  readonly signal: AbortSignal;
  /** These kinds of faults and no others; undefined: as each seed draws them. */
  readonly faults?: readonly string[] | undefined;
  /** So many seeds, whatever they find; undefined: until it is found. */
  readonly seeds?: number | undefined;
}

/**
 * Simulates seeds 1, 2, 3 … on worker threads, until the mutant is found, or so many were asked for, or the budget is
 * spent; a seed that is under way then is given up.
 */
export async function simulatedRuns(given: SimulatedRuns): Promise<Trial> {
  const { mutant, mode, budgetMs, signal, faults, seeds = Number.POSITIVE_INFINITY } = given;
  const task: RunnerTask = { systemFolder: mutant === undefined ? ownSystem : plant(mutant), mode, faults };
  const tally = new TrialTally(mode, mutant, given.until);
  const over = new AbortController();
  const stop = () => over.abort();
  const timer = setTimeout(stop, budgetMs);
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  let seed = 0;
  const next = () => (seed < seeds ? ++seed : undefined);
  const told = (outcome: Outcome) => {
    if (tally.add(outcome) && given.seeds === undefined) stop();
  };
  try {
    await Promise.all(
      Array.from({ length: Math.min(given.workers, seeds) }, () => runner(task, next, told, over.signal)),
    );
  } finally {
    stop();
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
  return tally.trial();
}

/** Resolves when its thread has ended. */
function runner(
  task: RunnerTask,
  next: () => number | undefined,
  told: (outcome: Outcome) => void,
  end: AbortSignal,
): Promise<void> {
  if (end.aborted) return Promise.resolve();
  const worker = new Worker(new URL('./simulated-runner.js', import.meta.url), { workerData: task });
  const stop = () => void worker.terminate();
  end.addEventListener('abort', stop);
  return new Promise<void>((resolve, reject) => {
    const send = () => {
      const seed = next();
      if (seed === undefined || end.aborted) stop();
      else worker.postMessage(seed);
    };
    worker.on('online', send);
    worker.on('message', (outcome: Outcome) => {
      if (end.aborted) return;
      told(outcome);
      send();
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve());
  }).finally(() => end.removeEventListener('abort', stop));
}
