import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { FaultRecord } from '../../nemesis/world.ts';
import { files } from '../../results/store/layout.ts';
import { readMessages } from '../../results/store/read.ts';
import { mutants } from '../mutants/catalog.ts';
import { plant } from '../mutants/plant.ts';
import { judge } from '../runner/judge.ts';
import { phaseStart } from '../runner/phase.ts';
import { codeVersion } from './code-version.ts';
import { keepRun } from './keep-run.ts';
import { planFor } from './plan.ts';
import { asScript, type ScriptedPlan, subsets, window, withNodes } from './plan-edits.ts';
import { parsePlan } from './plan-schema.ts';
import { shrink } from './shrink.ts';
import { signatureOf } from './signature.ts';
import { simulate } from './simulation.ts';
import { loadSystem, ownSystem } from './system-module.ts';
import { WorkerPool } from './worker-pool.ts';

t.setTimeout(120_000);

const options = { workload: 'register', timeLimitMs: 6000, ratePerS: 60, opTimeoutMs: 2000, nodes: 3 };
const wanted = 'linear:nonlinearizable';

t.test('the script of a run does the same as its seed did', async (t) => {
  const system = await loadSystem(ownSystem);
  for (const faults of [[], ['partition', 'kill'], ['clock', 'jitter'], ['partition', 'duplicate']]) {
    // The last one has a rest in the middle.
    const plan = planFor({ ...options, faults, ...(faults.includes('duplicate') && { timeLimitMs: 18_000 }) }, 2);
    t.equal(plan.phases.length, faults.includes('duplicate') ? 2 : 1);
    const seeded = await simulate(plan, system);
    const scripted = await simulate(asScript(plan, seeded.history, seeded.faults), system);
    // Final reads draw their threads from the seed, and it has drawn other things before.
    const until = phaseStart(seeded.history, 'heal');
    t.same(
      scripted.history.slice(0, until),
      seeded.history.slice(0, until),
      `under ${faults.join(' and ') || 'no fault'}`,
    );
    const healedNs = seeded.history[until ?? 0]?.time ?? 0;
    const performed = ({ kind, doneTime }: FaultRecord) => faults.includes(kind) && doneTime < healedNs;
    t.same(scripted.faults.filter(performed), seeded.faults.filter(performed));
  }
});

t.test('a failing run is kept, judged again with the same answer, and made small', async (t) => {
  const mutant = mutants.get('local-read');
  if (mutant === undefined) throw new Error('there is no local-read');
  const systemFolder = plant(mutant);
  const system = await loadSystem(systemFolder);
  let seed = 1;
  const drawn = () => planFor({ ...options, timeLimitMs: 15_000 }, seed++);
  let plan = drawn();
  while (!signatureOf((await simulate(plan, system)).results).includes(wanted)) plan = drawn();

  const { folder, ran } = await keepRun({ systemFolder, plan, mutant: mutant.name, root: t.testdir() });
  const kept = JSON.parse(readFileSync(join(folder, files.test), 'utf8'));
  t.equal(kept.versions.code, codeVersion());
  t.same(signatureOf(judge(folder)), signatureOf(ran.results));
  const again = await simulate(parsePlan(kept.options.plan), system);
  t.equal(again.eventHash, kept.options.eventHash, 'the plan in the folder gives the same events');

  const anomaly = { kind: 'two-leaders', message: 'seen between two steps', ops: [], evidence: { term: 3 } };
  appendFileSync(join(folder, files.steps), `${JSON.stringify({ section: 'election', anomaly })}\n`);
  t.match(judge(folder).sections.election, { valid: false, anomalies: [anomaly] }, 'what a step showed is evidence');

  const pool = new WorkerPool(systemFolder, 1);
  // Small enough ends it; down to the last operation would take longer.
  const enough = new AbortController();
  const sizes: number[] = [];
  const onSmaller = (smaller: ScriptedPlan) => {
    sizes.push(smaller.script.operations.length);
    if (smaller.script.operations.length * 10 <= (sizes[0] ?? 0)) enough.abort();
  };
  const { signal } = enough;
  const shrunk = await shrink({ pool, plan, ran, wanted, signal, onSmaller }).finally(() => pool.close());
  if (shrunk.plan === undefined) throw new Error('the anomaly did not come back');
  const small = await simulate(shrunk.plan, system);
  t.ok(signatureOf(small.results).includes(wanted), 'the same anomaly');
  t.ok(shrunk.plan.script.operations.length * 10 <= (sizes[0] ?? 0), `${sizes[0]} -> ${sizes.at(-1)} operations`);

  const story = await keepRun({ systemFolder, plan: shrunk.plan, mutant: mutant.name, root: t.testdir() });
  t.equal(story.ran.eventHash, small.eventHash, 'listening to the messages disturbs nothing');
  const messages = readMessages(story.folder);
  t.ok(
    messages.some(({ type, sent, arrived = 0 }) => type === 'App' && arrived > sent),
    `${messages.length} messages`,
  );
  const [picture = ''] = readdirSync(story.folder).filter((name) => /messages\.svg$/.test(name));
  const [, term = ''] = /App [\d+]+ of term (\d+)/.exec(readFileSync(join(story.folder, picture), 'utf8')) ?? [];
  t.ok(Number(term) > 0, 'and the report draws them');
});

t.test('edits of a plan', async (t) => {
  const seeded = planFor({ ...options, nodes: 5, concurrency: 10, faults: [] }, 1);
  const s = 1e9;
  const op = (time: number, thread: number) => ({ time, thread, f: 'write', key: 'x', value: time });
  const fault = (startNs: number, endNs: number) => ({
    kind: 'partition',
    variant: 'one',
    chosen: {
      nodes: ['4'],
      links: [
        { from: '4', to: '2' },
        { from: '4', to: '5' },
      ],
    },
    startNs,
    endNs,
  });
  const operations = [op(1 * s, 0), op(2 * s, 3), op(3 * s, 8), op(4 * s, 4)];
  const plan = { ...seeded, script: { operations, faults: [fault(1 * s, 3 * s), fault(5 * s, 6 * s)] } };

  t.test('a window moves what lies in it and cuts what reaches into it', async (t) => {
    const cut = window(plan, 2000, 4000, 500);
    t.same(
      cut.script.operations.map(({ time, thread }) => [time, thread]),
      [
        [0.5 * s, 3],
        [1.5 * s, 8],
      ],
    );
    t.match(cut.script.faults, [{ startNs: 0.5 * s, endNs: 1.5 * s }]);
    t.same([cut.script.faults.length, cut.timeLimitMs], [1, 2500]);
  });
  t.test('fewer nodes keep the operations and links that were theirs', async (t) => {
    const fewer = withNodes(plan, ['2', '4']);
    t.same(
      fewer.script.operations.map(({ time, thread }) => [time, thread]),
      [
        [2 * s, 1],
        [3 * s, 3],
      ],
      'threads 3 and 8 talked to node 4, which is node 2 of two now',
    );
    t.same(fewer.script.faults[0]?.chosen, { nodes: ['2'], links: [{ from: '2', to: '1' }] });
    t.same(withNodes(plan, ['1', '3']).script.faults, [], 'a fault without a target is none');
    t.same(withNodes(plan, ['1', '3']).faults, []);
  });
  t.same(subsets(['1', '2', '3'], 2), [
    ['1', '2'],
    ['1', '3'],
    ['2', '3'],
  ]);
});
