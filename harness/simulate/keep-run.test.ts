import t from 'tap';
import { readSimulated } from '../cli/simulated-run.ts';
import { keepRun } from './keep-run.ts';
import { planFor } from './plan.ts';
import { simulate } from './simulation.ts';
import { loadSystem, ownSystem } from './system-module.ts';

const options = { workload: 'register', timeLimitMs: 2000, ratePerS: 20, opTimeoutMs: 500, nodes: 3, faults: ['kill'] };

t.test('a kept run comes out the same when it is read again, in whatever order its plan had its fields', async (t) => {
  const setting = { type: 'reaction', reaction: { steps: [{ moment: 'elected', hits: 'node', afterMs: 1 }] } } as const;
  const chosen = { setting, nodes: ['1', '2', '3'] };
  const faults = [{ endNs: 1.5e9, startNs: 5e8, chosen, variant: 'new-leaders', kind: 'kill' }];
  // The last operation ends the faults.
  const operations = [{ time: 1.8e9, thread: 0, f: 'read', key: 'r0', value: null }];
  const plan = { script: { faults, operations }, ...planFor(options, 1) };
  const { folder, ran } = await keepRun({ systemFolder: ownSystem, plan, mutant: undefined, root: t.testdir() });
  t.match(ran.faults, [{ kind: 'kill', phase: 'start' }]);
  const again = readSimulated(folder);
  const { eventHash } = await simulate(again.plan, await loadSystem(ownSystem));
  t.equal(eventHash, again.eventHash);
});
