import t from 'tap';
import { workloads } from '../workload/index.ts';
import { planFor } from './plan.ts';
import { simulate } from './simulation.ts';
import { loadSystem, ownSystem } from './system-module.ts';

t.test('a run whose nodes talk without end is given up, and is not valid', async (t) => {
  const options = { workload: 'register', timeLimitMs: 3000, ratePerS: 60, opTimeoutMs: 2000, faults: [] };
  const plan = planFor(options, 1);
  const system = await loadSystem(ownSystem);
  const calm = await simulate(plan, system);
  t.notOk(calm.history.some(({ f }) => f === 'gave-up'));
  // A heartbeat each millisecond is more than nodes have to say.
  const tuning = { ...plan.tuning, tickMs: 1, electionTicks: 500, heartbeatTicks: 1 };
  const endless = await simulate({ ...plan, nodes: 9, tuning }, system);
  t.ok(endless.history.some(({ f }) => f === 'gave-up'));
  t.match(endless.results, { valid: 'unknown', sections: { liveness: { valid: 'unknown' } } });
});

t.test(
  'each workload comes to a verdict: its operations are answered, and its checker sees what they tell',
  async (t) => {
    const system = await loadSystem(ownSystem);
    for (const workload of workloads.keys()) {
      const options = {
        workload,
        timeLimitMs: 10_000,
        ratePerS: 60,
        opTimeoutMs: 2000,
        faults: ['partition', 'kill'],
      } as const;
      const { results } = await simulate(planFor(options, 1), system);
      t.equal(results.valid, true, workload);
    }
  },
);
