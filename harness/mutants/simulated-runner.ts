import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { planFor } from '../simulate/plan.ts';
import { simulate } from '../simulate/simulation.ts';
import { loadSystem, type SystemModule } from '../simulate/system-module.ts';
import { type Mode, type Outcome, workloadOf } from './trial.ts';

/** What a worker thread is started with. */
export interface RunnerTask {
  readonly systemFolder: string;
  readonly mode: Mode;
  /** These kinds of faults and no others; undefined: as each seed draws them. */
  readonly faults: readonly string[] | undefined;
}

/** As `splitbrain sim` has them. */
const options = { timeLimitMs: 60_000, ratePerS: 60, opTimeoutMs: 2000 };

/** Thread side: simulates each seed that it is sent and answers with its outcome. */
async function work(): Promise<void> {
  const { systemFolder, mode, faults } = workerData as RunnerTask;
  const system = await loadSystem(systemFolder);
  parentPort?.on('message', async (message: unknown) => {
    parentPort?.postMessage(await run(system, mode, faults, z.number().int().parse(message)));
  });
}

async function run(system: SystemModule, mode: Mode, faults: RunnerTask['faults'], seed: number): Promise<Outcome> {
  const workload = workloadOf(seed);
  try {
    const onViolation = mode === 'assertions-recorded' ? 'record' : 'stop';
    const { results, violations } = await simulate(
      planFor({ ...options, workload, faults, onViolation }, seed),
      system,
    );
    // What is only on record, from a step or an assertion, is not what a checker found.
    const recorded = new Set(onViolation === 'record' ? violations.map(({ anomaly }) => anomaly) : []);
    const found = Object.entries(results.sections)
      .filter(([, { valid, anomalies }]) => valid === false && anomalies.some((anomaly) => !recorded.has(anomaly)))
      .map(([section, { summary }]) => ({ section, summary }));
    return { seed, workload, found };
  } catch (error) {
    return { seed, workload, found: [], failure: error instanceof Error ? error.message : String(error) };
  }
}

if (parentPort !== null) await work();
