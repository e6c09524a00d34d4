import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import type { Valid } from '../../checker/verdict.ts';
import { planFor, type SimulationOptions } from './plan.ts';
import { simulate } from './simulation.ts';
import { loadSystem } from './system-module.ts';

/** What a worker thread is started with. */
export interface WorkerTask {
  readonly systemFolder: string;
  readonly options: SimulationOptions;
}

/** What it tells of each seed that it is sent. */
export interface SeedOutcome {
  readonly seed: number;
  readonly valid: Valid;
  /** Sections that are not valid. */
  readonly troubles: readonly { readonly section: string; readonly valid: Valid; readonly summary: string }[];
  readonly eventHash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly operations: number;
}

/** Thread side: simulates each seed that it is sent and answers with its outcome. */
async function work(): Promise<void> {
  const { systemFolder, options } = workerData as WorkerTask;
  const system = await loadSystem(systemFolder);
  parentPort?.on('message', async (message: unknown) => {
    const seed = z.number().int().parse(message);
    const { results, eventHash, events, virtualMs, history } = await simulate(planFor(options, seed), system);
    const troubles = Object.entries(results.sections)
      .filter(([, { valid }]) => valid !== true)
      .map(([section, { valid, summary }]) => ({ section, valid, summary }));
    const operations = history.filter(({ process, type }) => process !== 'nemesis' && type === 'ok').length;
    const outcome: SeedOutcome = { seed, valid: results.valid, troubles, eventHash, events, virtualMs, operations };
    parentPort?.postMessage(outcome);
  });
}

if (parentPort !== null) await work();
