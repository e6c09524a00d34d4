import { planFor, type SimulationOptions } from './plan.ts';
import type { Outcome } from './worker.ts';
import type { WorkerPool } from './worker-pool.ts';

export interface CampaignOptions {
  readonly pool: WorkerPool;
  readonly options: SimulationOptions;
  /** Seeds are this, this + 1, … */
  readonly seedFirst: number;
  /** How many seeds; Infinity when only time bounds it. */
  readonly seeds: number;
  /** Called for each seed as it is done, in no particular order. Returning false ends the campaign. */
  readonly onOutcome: (outcome: Outcome) => boolean;
  /** Begins no further seed. */
  readonly signal: AbortSignal;
}

/**
 * Simulates many seeds, as many at a time as there are threads.
 * @throws what a thread died of, with the seed that it was at
 */
export async function campaign({ pool, options, seedFirst, seeds, onOutcome, signal }: CampaignOptions): Promise<void> {
  let next = seedFirst;
  let over = false;
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const lane = async () => {
    while (!over && !signal.aborted && next < seedFirst + seeds) {
      const outcome = await pool.run(planFor(options, next++));
      if (over || onOutcome(outcome)) continue;
      over = true;
      end();
    }
  };
  // What other threads are at when nobody wants to know more is not waited for.
  await Promise.race([ended, Promise.all(Array.from({ length: Math.min(pool.size, seeds) }, lane))]);
}
