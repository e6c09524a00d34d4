import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import type { Valid } from '../../checker/verdict.ts';
import { parsePlan } from './plan-schema.ts';
import { type FoundAnomaly, foundAnomalies } from './signature.ts';
import { simulate } from './simulation.ts';
import { loadSystem } from './system-module.ts';

/** What it tells of each plan that it is sent. */
export interface Outcome {
  readonly seed: number;
  readonly valid: Valid;
  /** Sections that are not valid. */
  readonly troubles: readonly { readonly section: string; readonly valid: Valid; readonly summary: string }[];
  /** What went wrong, each once. */
  readonly anomalies: readonly FoundAnomaly[];
  /** How often what happened. */
  readonly coverage: { readonly [name: string]: number };
  readonly eventHash: string;
  readonly events: number;
  readonly virtualMs: number;
  /** Operations of clients that succeeded. */
  readonly operations: number;
}

/** Thread side: simulates each plan that it is sent and answers with its outcome. */
async function work(): Promise<void> {
  const system = await loadSystem(z.string().parse(workerData));
  parentPort?.on('message', async (message: unknown) => {
    const plan = parsePlan(message);
    const { results, eventHash, events, virtualMs, history, cluster } = await simulate(plan, system);
    const troubles = Object.entries(results.sections)
      .filter(([, { valid }]) => valid !== true)
      .map(([section, { valid, summary }]) => ({ section, valid, summary }));
    const outcome: Outcome = {
      seed: plan.seed,
      valid: results.valid,
      troubles,
      anomalies: foundAnomalies(results, history, virtualMs),
      coverage: cluster.coverage.counts,
      eventHash,
      events,
      virtualMs,
      operations: history.filter(({ process, type }) => process !== 'nemesis' && type === 'ok').length,
    };
    parentPort?.postMessage(outcome);
  });
}

if (parentPort !== null) await work();
