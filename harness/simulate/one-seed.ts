import { z } from 'zod';
import { planFor } from './plan.ts';
import { simulate } from './simulation.ts';
import { loadSystem, ownSystem } from './system-module.ts';

/**
 * A process that simulates seeds and prints the event hash of each: for tests that compare processes.
 * Arguments: first seed, how many, virtual milliseconds.
 */
const [first = 0, count = 0, timeLimitMs = 0] = z.array(z.coerce.number().int()).parse(process.argv.slice(2));
const system = await loadSystem(ownSystem);
for (let seed = first; seed < first + count; seed++) {
  const options = { workload: 'register', timeLimitMs, ratePerS: 60, opTimeoutMs: 2000 };
  const { eventHash, history } = await simulate(planFor(options, seed), system);
  process.stdout.write(`${seed} ${eventHash} ${history.length}\n`);
}
