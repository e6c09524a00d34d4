import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
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
}

/** As `splitbrain sim` has them. */
const options = { timeLimitMs: 60_000, ratePerS: 60, opTimeoutMs: 2000 };

/** Thread side: simulates each seed that it is sent and answers with its outcome. */
async function work(): Promise<void> {
  const { systemFolder, mode } = workerData as RunnerTask;
  const loaded = await loadSystem(systemFolder);
  if (mode === 'assertions-recorded') await passOverAssertions(systemFolder);
  const system = mode === 'assertions-recorded' ? withHiddenSteps(loaded) : loaded;
  parentPort?.on('message', async (message: unknown) => {
    parentPort?.postMessage(await run(system, z.number().int().parse(message)));
  });
}

async function run(system: SystemModule, seed: number): Promise<Outcome> {
  const workload = workloadOf(seed);
  try {
    const { results } = await simulate(planFor({ ...options, workload }, seed), system);
    const found = Object.entries(results.sections)
      .filter(([, { valid }]) => valid === false)
      .map(([section, { summary }]) => ({ section, summary }));
    return { seed, workload, found };
  } catch (error) {
    return { seed, workload, found: [], failure: error instanceof Error ? error.message : String(error) };
  }
}

/** The system's modules of this thread go on where an assertion does not hold. */
async function passOverAssertions(systemFolder: string): Promise<void> {
  const module: unknown = await import(pathToFileURL(join(systemFolder, 'assert.js')).href);
  if (!hasHandler(module)) throw new TypeError(`${systemFolder} has no assertions to pass over`);
  module.setViolationHandler(() => {});
}

function hasHandler(module: unknown): module is { readonly setViolationHandler: (handler: () => void) => void } {
  return typeof module === 'object' && module !== null && 'setViolationHandler' in module;
}

/** Logs and states look the same after every step: only what histories and audits tell is left to be found. */
function withHiddenSteps({ startNode }: SystemModule): SystemModule {
  return {
    async startNode(...given) {
      const node = await startNode(...given);
      const inspect = () => ({ ...node.inspect(), hash: () => '', termAt: () => undefined });
      return { ...node, inspect };
    },
  };
}

if (parentPort !== null) await work();
