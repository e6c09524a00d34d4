import { Worker } from 'node:worker_threads';
import type { SeedOutcome, WorkerTask } from './worker.ts';

export interface CampaignOptions extends WorkerTask {
  /** Seeds are this, this + 1, … */
  readonly seedFirst: number;
  /** How many seeds; Infinity when only time bounds it. */
  readonly seeds: number;
  readonly workers: number;
  /** Called for each seed as it is done, in no particular order. Returning false begins no further seed. */
  readonly onOutcome: (outcome: SeedOutcome) => boolean;
  /** Begins no further seed. */
  readonly signal: AbortSignal;
}

/**
 * Simulates many seeds on worker threads, each thread one seed at a time.
 * @throws what a worker died of, with the seed that it was at
 */
export async function campaign(options: CampaignOptions): Promise<void> {
  let next = options.seedFirst;
  const end = options.seedFirst + options.seeds;
  let over = false;
  const take = (): number | undefined => (over || options.signal.aborted || next >= end ? undefined : next++);
  const told = (outcome: SeedOutcome) => {
    if (!options.onOutcome(outcome)) over = true;
  };
  const task: WorkerTask = { systemFolder: options.systemFolder, options: options.options };
  const workers = Array.from({ length: Math.min(options.workers, options.seeds) }, () => runWorker(task, take, told));
  try {
    await Promise.all(workers);
  } catch (error) {
    over = true;
    throw error;
  }
}

function runWorker(
  task: WorkerTask,
  take: () => number | undefined,
  told: (outcome: SeedOutcome) => void,
): Promise<void> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: task });
  let seed: number | undefined;
  const next = () => {
    seed = take();
    if (seed === undefined) void worker.terminate();
    else worker.postMessage(seed);
  };
  return new Promise((resolve, reject) => {
    worker.on('online', next);
    worker.on('message', (outcome: SeedOutcome) => {
      told(outcome);
      next();
    });
    worker.on('error', (error) => {
      reject(new Error(`seed ${seed}: ${error.message}`, { cause: error }));
    });
    worker.on('exit', () => resolve());
  });
}
