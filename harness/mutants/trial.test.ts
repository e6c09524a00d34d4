import t from 'tap';
import { ablationMarkdown } from './ablation.ts';
import { mutants } from './catalog.ts';
import { simulatedRuns } from './simulated-runs.ts';
import { isGood, markdown, type Row, type Table } from './table.ts';
import { isSwarm, type Outcome, TrialTally, workloadOf } from './trial.ts';

t.setTimeout(300_000);

const localRead = mutants.get('local-read')!;
const valid: Outcome = { seed: 1, workload: 'register', found: [] };
const crashed: Outcome = { seed: 2, workload: 'append', found: [{ section: 'crash', summary: 'a node ended' }] };
const seen: Outcome = { seed: 3, workload: 'register', found: [{ section: 'linear', summary: 'a | stale read' }] };

function tableOf(...outcomes: readonly Outcome[]): Table {
  const tally = new TrialTally('as-it-runs', localRead);
  for (const outcome of outcomes) tally.add(outcome);
  const unmutated = new TrialTally('as-it-runs', undefined);
  unmutated.add(valid);
  const row: Row = { mutant: localRead, trials: [tally.trial()] };
  const started = '2026-01-01T00:00:00.000Z';
  return { world: 'sim', started, budgetMs: 1000, interrupted: false, unmutated: unmutated.trial(), rows: [row] };
}

t.test('a mutant counts as found when the section of its row finds it, not any other', async (t) => {
  const tally = new TrialTally('as-it-runs', localRead);
  t.equal(tally.add(valid), false);
  t.equal(tally.add(crashed), false);
  t.equal(tally.add(seen), true);
  const trial = tally.trial();
  t.match(trial, { runs: 3, hits: 2, rowHits: 1, first: { seed: 2 }, firstByRow: { seed: 3 } });
  const anyhow = new TrialTally('as-it-runs', localRead, 'any');
  t.equal(anyhow.add(crashed), true, 'where whatever finds it counts, a crash ends it');
  t.ok(isGood(tableOf(valid, crashed, seen)));
  t.notOk(isGood(tableOf(valid, crashed)), 'a crash alone is not what the row promises');
});

t.test('an alarm of the unmutated system, no run of it, a failed run or an interrupt is not good', async (t) => {
  const good = tableOf(seen);
  for (const outcomes of [[crashed], [], [{ ...valid, failure: 'no disk' }]]) {
    const unmutated = new TrialTally('as-it-runs', undefined);
    for (const outcome of outcomes) unmutated.add(outcome);
    t.notOk(isGood({ ...good, unmutated: unmutated.trial() }));
  }
  t.notOk(isGood({ ...good, interrupted: true }));
});

t.test('the table says by what, after which seed, how often, and how to see it again', async (t) => {
  const text = markdown(tableOf(valid, crashed, seen));
  t.match(text, '1 of 1 mutants found by the section of their row; unmutated: 0 alarms in 1 runs');
  t.match(text, '| local-read | linear | crash: 2 of 3,');
  t.match(text, 'a \\| stale read');
  t.match(text, 'splitbrain sim --seeds 1 --mutant local-read --workload register --seed 3');
});

t.test('an ablation says which fault and which checker show a mutant', async (t) => {
  const trial = (bySection: { readonly [section: string]: number }) => {
    return { runs: 4, rowHits: bySection.linear ?? 0, bySection };
  };
  const seenBy = ['linear'] as const;
  const text = ablationMarkdown([
    { mutant: 'local-read', seenBy, kind: 'pause', trial: trial({ linear: 1 }) },
    { mutant: 'local-read', seenBy, kind: 'partition', trial: trial({ linear: 3, hash: 1 }) },
    { mutant: 'local-read', seenBy, kind: 'kill', trial: trial({ crash: 1 }) },
    { mutant: 'local-read', seenBy, kind: 'reset', trial: trial({}) },
  ]);
  t.match(text, '| local-read | partition 3/4, pause 1/4 | kill (crash) | **linear**, hash, crash | 1 of 4 |');
});

t.test('what clients do depends on the seed alone', async (t) => {
  t.same([1, 2, 7, 9].map(workloadOf), ['register', 'append', 'mixed', 'register']);
  const plans = new Set(Array.from({ length: 8 }, (_, seed) => `${workloadOf(seed + 1)} ${isSwarm(seed + 1)}`));
  t.ok(plans.has('register true') && plans.has('register false'), 'faults do not go with workloads');
  t.ok(plans.has('append true') && plans.has('append false'));
});

t.test('simulated runs find a planted bug, and end when their time is over', async (t) => {
  const { signal } = new AbortController();
  const given = { mode: 'as-it-runs', workers: 1, signal } as const;
  const trial = await simulatedRuns({ ...given, mutant: localRead, budgetMs: 300_000 });
  t.match(trial, { firstByRow: { found: [{ section: 'linear' }] }, failures: [] });
  const idle = await simulatedRuns({ ...given, mutant: undefined, budgetMs: 1 });
  t.match(idle, { runs: 0, hits: 0 });
  const recorded = await simulatedRuns({
    ...given,
    mode: 'assertions-recorded',
    mutant: mutants.get('ack-before-commit'),
    budgetMs: 300_000,
  });
  t.ok(recorded.firstByRow, 'the audits alone show a lost write');
});
