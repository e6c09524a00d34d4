import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Results } from '../../checker/verdict.ts';
import { cellsOf, Shares } from './cell.ts';
import { type Config, ConfigError, parseConfig } from './config.ts';
import { indexPage } from './index-page.ts';
import { type Failure, type Job, type JobResult, troubled } from './job.ts';
import { Journal } from './journal.ts';
import { junitOf } from './junit.ts';
import { Lanes } from './lanes.ts';
import { markdownOf } from './markdown.ts';
import { mergeNights } from './merge.ts';
import { conductNight, type Hands } from './night.ts';
import { pack, unpack } from './pack.ts';
import { firstSeen, pastOf } from './past.ts';
import { redisOf } from './queue.ts';
import { makeRoom } from './retention.ts';
import { signatureOf } from './signature.ts';
import type { Summary } from './summary.ts';

const nothingPast = { troubled: new Set<string>(), passedWithThisCode: new Set<string>() };

const usual = `
budget: 1m
workers: 2
sim: { workloads: [register, append] }
`;

t.test('a configuration', async (t) => {
  t.match(parseConfig(usual, 'n.yaml'), { budget: 60_000, sim: { faults: ['swarm'] }, keep: 30, 'max-disk': 10e9 });
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['no YAML', 'budget: [', /^n\.yaml: /],
    ['no time', 'budget: soon\nsim: { workloads: [register] }', /n\.yaml: budget: must be a time/],
    [
      'a workload that there is not',
      'budget: 1m\nsim: { workloads: [nope] }',
      /sim\.workloads\.0: there is no such workload/,
    ],
    ['a fault that there is not', 'budget: 1m\nsim: { workloads: [register], faults: [[nope]] }', /faults/],
    ['a flag that there is not', `${usual}\nbugdet: 3m`, /the whole: .*bugdet/],
    ['nothing to run', 'budget: 1m', /needs sim, real or both/],
    ['aliases without end', 'a: &a [x]\nb: &b [*a, *a]\nbudget: *b', /n\.yaml: /],
  ];
  for (const [name, text, message] of refused) {
    t.throws(() => parseConfig(text, 'n.yaml'), { name: ConfigError.name, message }, name);
  }
});

t.test('cells get their share; what failed lately or has not passed yet gets more', async (t) => {
  const [a, b] = cellsOf(parseConfig(usual, ''));
  t.same([a?.name, b?.name], ['sim/register/swarm', 'sim/append/swarm']);
  const real = parseConfig('budget: 1m\nreal: {workloads: [set], faults: [default, swarm, [kill, pause]]}', '');
  t.match(cellsOf(real), [
    { name: 'real/kvstore/set/default', faults: null },
    { name: 'real/kvstore/set/swarm', faults: ['swarm'] },
    { name: 'real/kvstore/set/kill+pause', faults: ['kill', 'pause'] },
  ]);
  const turns = (past: typeof nothingPast) => {
    const shares = new Shares([a!, b!], past);
    return Array.from({ length: 70 }, () => {
      const cell = shares.next()!;
      shares.charge(cell.name, 10);
      return cell.name;
    }).filter((name) => name === a!.name).length;
  };
  t.equal(turns(nothingPast), 35);
  t.equal(turns({ troubled: new Set([a!.name]), passedWithThisCode: new Set([b!.name]) }), 60, 'six to one');
  t.equal(turns({ troubled: new Set(), passedWithThisCode: new Set([a!.name]) }), 18, 'one to three');
});

t.test('lanes are never overdrawn, and a job that needs them all is not passed over', async (t) => {
  const lanes = new Lanes(2);
  const order: string[] = [];
  let busy = 0;
  const job = (name: string, slots: number) =>
    lanes.with(slots, async () => {
      busy += slots;
      t.ok(busy <= 2);
      order.push(name);
      await new Promise((resolve) => setImmediate(resolve));
      busy -= slots;
    });
  await Promise.all([job('a', 1), job('all', 2), job('b', 1), job('c', 1)]);
  t.same(order, ['a', 'all', 'b', 'c']);
  await t.rejects(lanes.with(1, async () => Promise.reject(new Error('x'))));
  t.equal(await lanes.with(5, async () => 'more than there are'), 'more than there are');
});

t.test('a run is known by the deepest of what it shows', async (t) => {
  const section = (kind: string, ops: readonly number[] = []) => ({
    valid: false as const,
    summary: '',
    counts: {},
    anomalies: [{ kind, message: '', ops, evidence: {} }],
  });
  const history = ['write', 'read', 'cas'].map((f, index) => ({ index, time: 0, process: 1, type: 'ok' as const, f }));
  const of = (sections: Results['sections']) => signatureOf({ valid: false, sections }, history);
  t.equal(of({ linear: section('nonlinearizable', [0, 1]) }), 'linear:nonlinearizable (read)');
  t.equal(of({ linear: section('nonlinearizable', [0, 1]), log: section('lost-write', [0]) }), 'log:lost-write');
  t.equal(of({ log: section('acknowledged-without-effect', [0]) }), 'log:lost-write');
  t.equal(of({ txn: section('G-single-realtime', [2]) }), 'txn:G-single (cas)');
  t.equal(signatureOf({ valid: true, sections: {} }, []), 'none');
});

const failure = (signature: string, at = '2026-11-22T01:00:00.000Z'): Failure => ({
  signature,
  anomalies: [signature],
  seed: 7,
  summary: '<b>lost</b> | 1 write',
  folder: '/r/runs/sim-x/1',
  at,
});

/** Hands whose jobs take no time and come to what they are told. */
function hands(come: (job: Job) => Partial<JobResult>, done: Job[] = []): Hands {
  return {
    lanes: 2,
    lanesOf: () => 1,
    async perform(job) {
      done.push(job);
      await new Promise((resolve) => setImmediate(resolve));
      const usualResult = { ...troubled(job, new Date(), ''), trouble: null, valid: 1, operations: 100, tookMs: 1000 };
      const found = job.type === 'mutant' ? { found: { seconds: 3, by: 'its row' } } : {};
      return { ...usualResult, ...found, ...come(job) };
    },
    async followUp(job, { signature, folder, seed }) {
      const shrunk = { folder: `${folder}-s`, report: '', operations: 4, faults: 1, nodes: 3 };
      return {
        signature,
        folder,
        seed,
        world: 'sim',
        shrunk,
        replay: { times: 1, cameBack: 1 },
        command: `again ${job.id}`,
      };
    },
  };
}

interface Given {
  readonly journal: string;
  readonly hands: Hands;
  readonly config?: Config;
  readonly jobs?: number;
  readonly controller?: AbortController;
}

/** A night that is over after so many ordinary jobs, as if its disk were full then: a night has no other end but time. */
function night({ journal, hands: given, config = parseConfig(usual, ''), jobs = 6, controller }: Given) {
  const { signal } = controller ?? new AbortController();
  let asked = 0;
  return conductNight({
    id: 'n1',
    config: { ...config, budget: 60_000 },
    seed: 1,
    shard: { number: 1, of: 1 },
    mutant: null,
    past: nothingPast,
    firstSeen: new Map([['log:lost-write', '2026-11-01T00:00:00.000Z']]),
    code: 'c0de',
    journal: new Journal(journal),
    hands: given,
    hindrance: () => (++asked > jobs ? 'over' : undefined),
    tell: () => {},
    signal,
  });
}

t.test('a night', async (t) => {
  const path = (name: string) => join(t.testdir(), name);

  t.test('in which all was well has no reason but its end', async (t) => {
    const done: Job[] = [];
    const summary = await night({ journal: path('well'), hands: hands(() => ({}), done) });
    t.match(summary, { colour: 'unknown', reasons: ['over'], groups: [] });
    t.match(summary.canaries, [
      { must: 'fail', good: true, seconds: 3 },
      { must: 'pass', good: true },
    ]);
    t.same(
      summary.cells.map(({ valid }) => valid),
      [3, 3],
    );
    const seeds = done.flatMap((job) => (job.type === 'sim' ? [job.seed] : []));
    t.equal(new Set(seeds).size, seeds.length, 'no two jobs have the same seeds');
  });

  t.test('that is short gives each cell less, so that all have a turn', async (t) => {
    const done: Job[] = [];
    const many = `${usual.replace('[register, append]', '[register, append, set, bank]')}`;
    await night({ journal: path('short'), hands: hands(() => ({}), done), config: parseConfig(many, '') });
    const times = done.flatMap((job) => (job.id.startsWith('job-') ? [job.timeLimitMs] : []));
    t.same(new Set(times), new Set([21_000]), 'of 60 s 42, in two lanes, for four cells; asked for were 30 s each');
  });

  const cases: readonly (readonly [string, (job: Job) => Partial<JobResult>, Summary['colour'], RegExp])[] = [
    [
      'a canary that must fail and was not found',
      (j) => (j.type === 'mutant' ? { found: null } : {}),
      'red',
      /canary must-fail/,
    ],
    [
      'a canary that must pass and did not',
      (j) => (j.id === 'canary-must-pass-sim' ? { valid: 0, invalid: 1 } : {}),
      'red',
      /canary must-pass/,
    ],
    [
      'a canary that failed by itself',
      (j) => (j.id === 'canary-must-pass-sim' ? { trouble: 'oops', valid: 0 } : {}),
      'red',
      /oops/,
    ],
    [
      'an unknown run',
      (j) => (j.id === 'job-2' ? { valid: 0, unknown: 1, reasons: ['no effect'] } : {}),
      'unknown',
      /no effect/,
    ],
    [
      'a job that failed',
      (j) => (j.id === 'job-2' ? { valid: 0, trouble: 'oops' } : {}),
      'unknown',
      /1 job failed: oops/,
    ],
    [
      'a cell in which nothing was run',
      (j) => (j.cell.includes('append') ? { valid: 0 } : {}),
      'unknown',
      /append.*nothing was run/,
    ],
    [
      'a violation',
      (j) => (j.id === 'job-1' ? { valid: 0, invalid: 1, failures: [failure('log:lost-write')] } : {}),
      'red',
      /log:lost-write: 1 run/,
    ],
  ];
  for (const [name, come, colour, reason] of cases) {
    const summary = await night({ journal: path(name.replaceAll(' ', '-')), hands: hands(come) });
    t.equal(summary.colour, colour, name);
    t.match(summary.reasons.join('\n'), reason, name);
  }

  t.test('with a hundred failures of one bug has one row, and looks into one', async (t) => {
    const many = Array.from({ length: 20 }, () => failure('log:lost-write'));
    const come = (job: Job) => (job.id.startsWith('job-') ? { invalid: 20, failures: many } : {});
    const { groups } = await night({ journal: path('many'), hands: hands(come) });
    t.match(groups, [
      {
        signature: 'log:lost-write',
        count: 120,
        first: '2026-11-01T00:00:00.000Z',
        examples: [{ shrunk: { operations: 4 } }],
      },
    ]);
    t.equal(groups[0]?.examples.length, 1);
  });

  t.test('that was killed goes on: nothing is lost and nothing counts twice', async (t) => {
    const journal = path('killed');
    const first = new AbortController();
    const before: Job[] = [];
    const cut = hands((job) => {
      if (job.id === 'job-3') first.abort();
      return {};
    }, before);
    const broken = await night({ journal, hands: { ...cut, lanes: 1 }, controller: first });
    t.equal(broken.colour, 'unknown');
    t.match(broken.reasons, [/interrupted/]);
    const after: Job[] = [];
    t.match(new Journal(journal).settings, { mutant: null, shard: { of: 1 } }, 'it goes on as it was begun');
    const summary = await night({ journal, hands: { ...hands(() => ({}), after), lanes: 1 }, jobs: 4 });
    t.ok(
      after.some(({ id }) => id === 'job-3'),
      'what was under way is done again',
    );
    t.notOk(
      after.some(({ id }) => id.startsWith('canary') || id === 'job-1'),
      'what was done is not',
    );
    t.same(
      after.find(({ id }) => id === 'job-3'),
      before.find(({ id }) => id === 'job-3'),
      'with the same seeds',
    );
    const cellOf = (id: string) => after.find((job) => job.id === id)!.cell;
    t.not(cellOf('job-4'), cellOf('job-3'), 'that was the turn of its cell');
    const ids = new Set([...before, ...after].map(({ id }) => id).filter((id) => id.startsWith('job')));
    t.equal(
      summary.cells.reduce((sum, { valid }) => sum + valid, 0),
      ids.size,
    );
  });

  t.test('gives up when every job fails by itself', async (t) => {
    const done: Job[] = [];
    const come = (job: Job) => (job.id.startsWith('job') ? { trouble: 'oops', valid: 0 } : {});
    const summary = await night({ journal: path('troubles'), hands: hands(come, done), jobs: 1000 });
    t.ok(done.length < 20);
    t.equal(summary.colour, 'unknown');
  });
});

t.test('what a night came to, for others', async (t) => {
  const come = (job: Job) =>
    job.id === 'job-1' ? { valid: 0, invalid: 1, failures: [failure('log:lost-write')] } : {};
  const red = await night({ journal: join(t.testdir(), 'j'), hands: hands(come) });
  const green = {
    ...red,
    groups: [],
    colour: 'green' as const,
    reasons: [],
    started: '2026-11-21T01:00:00.000Z',
    id: 'n0',
  };

  t.match(junitOf(red), /<testcase name="log:lost-write"[^>]*><failure message="1 times: &lt;b&gt;lost/);
  t.match(junitOf({ ...red, colour: 'unknown', reasons: ['nothing ran'] }), /<error message="nothing ran"/);
  t.match(markdownOf(red), /🔴 red/);
  t.match(markdownOf(red), /again job-1/);
  t.notMatch(markdownOf(red), /[^\\]<b>/, 'nothing of a run is markup');
  const page = indexPage([green, red], (folder) => `x${folder}`);
  t.notMatch(page, /<b>lost/);
  t.match(page, /href="x\/r\/runs\/sim-x\/1"/);

  const merged = mergeNights('m', [green, { ...red, shard: '2/2' }]);
  t.equal(merged.colour, 'red');
  t.equal(merged.canaries.length, red.canaries.length * 2);
  t.same(
    merged.cells.map(({ valid }) => valid),
    red.cells.map(({ valid }) => valid * 2),
  );
  t.equal(mergeNights('m', [green, { ...green, colour: 'unknown', reasons: ['interrupted'] }]).colour, 'unknown');
  t.match(mergeNights('m', [green, { ...green, code: 'other' }]).reasons, [/different code/]);
  t.throws(() => mergeNights('m', []), RangeError);

  const past = pastOf([green, red], 'c0de');
  t.same([...past.troubled], [red.cells[0]?.name]);
  t.ok(past.passedWithThisCode.has(red.cells[1]!.name));
  t.equal(pastOf([green], 'other').passedWithThisCode.size, 0);
  t.same([...firstSeen([green, red]).keys()], ['log:lost-write']);
});

t.test('retention keeps failures and their data, and prunes passes', async (t) => {
  const run = (valid: boolean) => ({
    run: { 'results.json': JSON.stringify({ valid, sections: {} }), data: 'x'.repeat(300_000) },
  });
  const one = () => ({ runs: { good: run(true), bad: run(false) } });
  const root = t.testdir({ '1': one(), '2': one(), '3': one() });
  const left = () =>
    ['1', '2', '3'].map((night) =>
      readdirSync(join(root, night, 'runs')).filter((test) => readdirSync(join(root, night, 'runs', test)).length > 0),
    );
  makeRoom({ root, keep: 2, bytesMax: 1e9 });
  t.same(left(), [['bad'], ['bad', 'good'], ['bad', 'good']], 'passes of the oldest night are gone');
  makeRoom({ root, keep: 2, bytesMax: 1_400_000 });
  t.same(left(), [['bad'], ['bad'], ['bad', 'good']], 'then those of the next, as far as needed');
  t.match(makeRoom({ root, keep: 2, bytesMax: 100_000 }), /of failures, more than max-disk/);
  t.same(left(), [['bad'], ['bad'], ['bad']], 'failures stay');
});

t.test('a run folder travels, whole files, and never outside of where it is put', async (t) => {
  const from = t.testdir({ from: { 'a.json': '{}', nodes: { '1': { 'big.log': 'x'.repeat(5000) } } }, to: {} });
  unpack(pack(join(from, 'from'), 10_000), join(from, 'to'));
  t.same(readdirSync(join(from, 'to'), { recursive: true }).sort(), ['a.json', 'nodes', 'nodes/1', 'nodes/1/big.log']);
  mkdirSync(join(from, 'small'));
  unpack(pack(join(from, 'from'), 1000), join(from, 'small'));
  t.same(readdirSync(join(from, 'small')), ['a.json'], 'what does not fit is left behind');
  const evil = t.testdir({ e: {} });
  writeFileSync(join(evil, 'e', 'x'), '');
  const { gzipSync } = await import('node:zlib');
  for (const name of ['../x', '/tmp/x', 'a/../../x']) {
    const packed = gzipSync(JSON.stringify({ [name]: '' })).toString('base64');
    t.throws(() => unpack(packed, join(evil, 'e')), /outside/, name);
  }
});

t.test('the address of a queue', async (t) => {
  t.match(redisOf('redis://u:p%40@h:7/2'), { host: 'h', port: 7, username: 'u', password: 'p@', db: 2 });
  for (const wrong of ['http://x', 'redis://', 'x', 'redis://h/a']) t.throws(() => redisOf(wrong), RangeError, wrong);
});
