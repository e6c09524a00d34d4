import t from 'tap';
import type { Op } from '../../checker/history/op.ts';
import { seededRandom } from '../generator/random.ts';
import type { NodeStatus, Outcome, Request } from '../target/target.ts';
import { workloads } from '../workload/index.ts';
import { type ConductOptions, conduct } from './conduct.ts';
import { checkLiveness } from './liveness.ts';
import { checkOperations } from './operations.ts';
import type { Phase } from './phase.ts';
import { Recorder } from './recorder.ts';
import { Sufficiency } from './sufficiency.ts';
import { VirtualClock } from './virtual-clock.ts';

const ms = 1e6;
const s = 1e9;
const nodes = ['1', '2', '3'];

interface Staged {
  readonly status?: (nowNs: number) => readonly NodeStatus[];
  readonly answer?: (request: Request, node: string) => Outcome;
  readonly answersAfterNs?: (node: string) => number;
  readonly signal?: AbortSignal;
  readonly isEnough?: (nowNs: number) => boolean;
  readonly append?: (op: Op) => void;
  readonly onPhase?: (phase: Phase) => void;
}

/** A whole run on virtual time, with a store that is made up. */
async function stage({ status = () => agreed, answer = () => ({ type: 'ok', value: 1 }), ...rest }: Staged = {}) {
  const clock = new VirtualClock();
  const history: Op[] = [];
  let healed = 0;
  const options: ConductOptions = {
    system: {
      nodes,
      client: (node) => ({
        invoke: (request, done) =>
          clock.after(rest.answersAfterNs?.(node) ?? 3 * ms, () => done(answer(request, node))),
        close() {},
      }),
      status: async () => status(clock.nowNs()),
    },
    workload: workloads.get('register')!,
    workloadOptions: { keys: 2, opsPerKey: 100 },
    concurrency: 4,
    ratePerS: rest.isEnough === undefined ? 100 : 5,
    timeLimitNs: 2 * s,
    convergeMaxNs: 10 * s,
    clock,
    random: seededRandom(1, 'test'),
    recorder: new Recorder(
      rest.append ??
        ((op) => {
          history.push(op);
        }),
    ),
    startNemesis: () => ({
      async stop() {
        healed++;
      },
    }),
    signal: rest.signal,
    ...(rest.isEnough !== undefined && { isEnough: () => rest.isEnough!(clock.nowNs()) }),
    ...(rest.onPhase === undefined ? {} : { onPhase: rest.onPhase }),
  };
  let over = false;
  const done = conduct(options).finally(() => {
    over = true;
  });
  done.catch(() => {});
  // The clock turns whenever nothing else is to be done.
  while (!over) {
    clock.run();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { done, history, healed, nowNs: clock.nowNs() };
}

const status = (node: string, more: Partial<NodeStatus> = {}): NodeStatus => ({
  node,
  leader: node === '1',
  term: 3,
  applied: 90,
  hash: 'ab',
  ...more,
});
const agreed = nodes.map((node) => status(node));

const phasesOf = (history: readonly Op[]) => history.filter(({ f }) => f === 'phase').map(({ value }) => value);

t.test('a run goes through its phases, and every node answers at the end', async (t) => {
  const { history, healed } = await stage();
  t.same(phasesOf(history), ['operations', 'heal', 'converge', 'final', 'end']);
  t.equal(healed, 1);
  t.same(
    history.map(({ index }) => index),
    [...history.keys()],
  );
  const final = history.slice(history.findIndex(({ value }) => value === 'final'));
  const asked = final.filter(({ type }) => type === 'invoke').map(({ node, key }) => `${node} ${key}`);
  const before = history.slice(0, history.indexOf(final[0]!));
  const keys = [...new Set(before.flatMap(({ key }) => (key === undefined ? [] : [key])))];
  const ofNode = (node: string, at: number) => [...keys, `final${at}`].map((key) => `${node} ${key}`);
  t.same(asked.sort(), nodes.flatMap(ofNode).sort(), 'each writes, and reads what was there');
  const used = new Set(before.map(({ process }) => process));
  t.notOk(
    final.slice(1).some(({ process, type }) => type === 'invoke' && used.has(process)),
    'by processes of their own',
  );
  t.match(checkLiveness(history), { valid: true, counts: { converged: 1, finalOperations: 3 * (keys.length + 1) } });
  t.match(checkOperations(history), { valid: true, counts: { late: 0 } });
});

t.test('a run goes on until there was enough of it, and no longer than the bound', async (t) => {
  const healedAt = async (isEnough: (nowNs: number) => boolean): Promise<number> => {
    const { history } = await stage({ isEnough });
    return history.find(({ value }) => value === 'heal')!.time / s;
  };
  t.ok((await healedAt(() => true)) < 2.1);
  const later = await healedAt((nowNs) => nowNs > 5 * s);
  t.ok(later > 5 && later < 5.3, `${later}`);
  const never = await healedAt(() => false);
  t.ok(never >= 32 && never < 32.3, `${never}`);

  const recorder = new Recorder(() => {});
  const sufficiency = new Sufficiency(1, recorder);
  const record = (type: Op['type'], f: string, error?: string) =>
    recorder.record({ time: 0, process: 1, type, f, error });
  record('invoke', 'cas');
  record('ok', 'read');
  sufficiency.began({ kind: 'pause', effects: [{ effect: 'proven', mechanism: 'test', proof: {} }] });
  record('fail', 'cas', 'no-leader');
  t.notOk(sufficiency.isReached, 'no cas was answered');
  record('fail', 'cas', 'cas-mismatch');
  t.notOk(sufficiency.isReached, 'nothing has succeeded since the fault');
  record('ok', 'read');
  t.ok(sufficiency.isReached);
  t.notOk(new Sufficiency(2, recorder).isReached, 'of another kind there was no fault');
});

t.test('operation ids are unique', async (t) => {
  const { history } = await stage();
  const ids = history.flatMap(({ op }) => (op === undefined ? [] : [op]));
  t.ok(ids.length > 100);
  t.equal(new Set(ids).size, ids.length);
});

t.test('convergence is waited for, and no longer than the bound', async (t) => {
  const slow = await stage({ status: (now) => (now < 5 * s ? agreed.slice(1) : agreed) });
  t.match(checkLiveness(slow.history), { valid: true });
  t.ok(Number(checkLiveness(slow.history).counts.tookMs) > 2500);

  const table: readonly (readonly [string, readonly NodeStatus[]])[] = [
    ['a node is down', agreed.slice(1)],
    ['no leader', nodes.map((node) => status(node, { leader: false }))],
    ['two leaders', nodes.map((node) => status(node, { leader: node !== '3' }))],
    ['one lags', [...agreed.slice(1), status('1', { applied: 89 })]],
    ['one has another state', [...agreed.slice(1), status('1', { hash: 'cd' })]],
    ['one is in another term', [...agreed.slice(1), status('1', { term: 4 })]],
  ];
  for (const [name, statuses] of table) {
    const { history, nowNs } = await stage({ status: () => statuses });
    t.match(checkLiveness(history), { valid: false, anomalies: [{ kind: 'no-convergence' }] }, name);
    t.ok(nowNs > 12 * s, `${name}: after the bound`);
    t.ok(nowNs < 16 * s, `${name}: but not long after`);
  }
});

t.test('after that, a node that does not serve is asked no longer than the bound, either', async (t) => {
  let final = false;
  const { history, nowNs } = await stage({
    status: () => agreed.slice(1),
    onPhase: (phase) => {
      final ||= phase === 'final';
    },
    answer: (_, node) => (final && node === '1' ? { type: 'fail', error: 'timeout' } : { type: 'ok', value: 1 }),
    answersAfterNs: (node) => (final && node === '1' ? 2 * s : 3 * ms),
  });
  t.same(phasesOf(history), ['operations', 'heal', 'converge', 'final', 'end']);
  t.ok(nowNs > 21 * s && nowNs < 26 * s, `${nowNs / s} s`);
  const interrupted = history.map((op) => (op.value === 'end' ? { ...op, value: 'interrupted' } : op));
  t.match(checkLiveness(interrupted), { valid: false }, 'the bound was over before');
  const early = interrupted.map((op) =>
    op.f === 'converge' ? { ...op, value: { ...(op.value as object), tookMs: 9000 } } : op,
  );
  t.match(checkLiveness(early), { valid: 'unknown', reason: /interrupted/ });
});

t.test('a cluster that was healed in the middle of a run and did not come together is a violation', async (t) => {
  const line = (converged: boolean, index: number): Op => ({
    index,
    time: index,
    process: 'nemesis',
    type: 'info',
    f: 'together',
    value: { converged, tookMs: 9000, boundMs: 20_000, unserved: ['2'], nodes: [] },
  });
  const { history } = await stage();
  t.match(checkLiveness([line(true, 0), ...history]), { valid: true, counts: { converged: 2 } });
  const { valid, anomalies } = checkLiveness([line(true, 0), line(false, 1), ...history]);
  t.equal(valid, false, 'although it did at the end');
  t.match(anomalies, [{ kind: 'no-convergence', ops: [1] }]);
  t.equal(checkLiveness([line(false, 0)]).valid, false, 'however the run went on');
  const garbled = { ...line(true, 0), value: { converged: 'yes' } };
  t.match(checkLiveness([garbled, ...history]), { valid: 'unknown', reason: /cannot be read/ });
});

t.test('a node that does not serve after healing is a violation', async (t) => {
  let final = false;
  const { history } = await stage({
    onPhase: (phase) => {
      final ||= phase === 'final';
    },
    answer: (_, node) => (final && node === '2' ? { type: 'fail', error: 'no-leader' } : { type: 'ok', value: 1 }),
  });
  const section = checkLiveness(history);
  t.match(section, { valid: false, anomalies: [{ kind: 'not-serving', evidence: { node: '2', tries: 5 } }] });
  t.equal(section.anomalies.length, section.counts.finalOperations! / 3, 'only that node');

  const refusals = history.filter(({ type, node, error }) => type === 'fail' && node !== '1' && error === 'no-leader');
  const cutShort = (tries: number) => checkLiveness(history.slice(0, refusals[tries - 1]!.index + 2));
  t.match(cutShort(4), { valid: 'unknown' }, 'cut short while it was still tried');
  t.match(cutShort(5), { valid: false, anomalies: { length: 1 } }, 'cut short when it was given up');
});

t.test('an interrupted run is healed, and says what it did not see', async (t) => {
  const controller = new AbortController();
  let count = 0;
  const { history, healed } = await stage({
    signal: controller.signal,
    answer: () => {
      if (++count === 20) controller.abort();
      return { type: 'ok', value: 1 };
    },
  });
  t.equal(healed, 1);
  t.same(phasesOf(history), ['operations', 'heal', 'interrupted']);
  t.match(checkLiveness(history), { valid: 'unknown' });
  t.ok(history.filter(({ type }) => type === 'invoke').length < 30);
});

t.test('a history that cannot be written ends the run, healed', async (t) => {
  let lines = 0;
  const { done, healed } = await stage({
    append: () => {
      if (++lines > 50) throw new Error('no space left');
    },
  });
  await t.rejects(done, /no space left/);
  t.equal(healed, 1);
});

t.test('without answers nothing is known', async (t) => {
  t.match(checkOperations([]), { valid: 'unknown' });
  const call = (index: number, process: number, type: 'invoke' | 'ok') =>
    ({ index, time: index, process, type, f: 'read', node: '1' }) as const;
  const cutShort = [call(0, 1, 'invoke'), call(1, 1, 'ok'), call(2, 2, 'invoke')];
  t.match(checkOperations(cutShort), { summary: '2 operations: 1 ok, 0 fail, 1 of unknown outcome' });
  t.match(checkLiveness([]), { valid: 'unknown' });
  const { history } = await stage({ answer: () => ({ type: 'fail', error: 'no-leader' }) });
  t.match(checkOperations(history), { valid: 'unknown', reason: /none of \d+ operations succeeded/ });
  const noCas = await stage({
    answer: ({ f }) => (f === 'cas' ? { type: 'fail', error: 'busy' } : { type: 'ok', value: 1 }),
  });
  t.match(checkOperations(noCas.history), { valid: 'unknown', reason: 'no cas was ever answered' });
});
