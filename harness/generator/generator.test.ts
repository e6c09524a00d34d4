import fc from 'fast-check';
import t from 'tap';
import type { Op } from '../../checker/history/op.ts';
import { interpret } from '../runner/interpreter.ts';
import { Recorder } from '../runner/recorder.ts';
import { VirtualClock } from '../runner/virtual-clock.ts';
import type { Outcome, Request } from '../target/target.ts';
import { register } from '../workload/register.ts';
import { cycle, filter, from, limit, map, once, one, processLimit, repeat, trace, untilOk } from './basic.ts';
import { any, flipFlop, mix } from './choice.ts';
import { type Generator, nothing } from './generator.ts';
import { concurrentKeys, sequentialKeys } from './independent.ts';
import { seededRandom } from './random.ts';
import { scripted } from './scripted.ts';
import { clients, eachThread, nemesis, onThreads, phases, reserve, sequence, synchronize, then } from './threads.ts';
import { delay, sleep, stagger, timeLimit } from './time.ts';

const ms = 1e6;
const s = 1e9;

interface Simulated {
  readonly threads?: number;
  readonly seed?: number;
  readonly latencyNs?: number;
  readonly answer?: (request: Request, number: number) => Outcome;
}

/** Carries a generator out with clients that always take the same time. */
async function simulate(generator: Generator, options: Simulated = {}): Promise<readonly Op[]> {
  const { threads = 3, seed = 1, latencyNs = 10 * ms, answer = () => ({ type: 'ok' }) } = options;
  const clock = new VirtualClock();
  const history: Op[] = [];
  let number = 0;
  const { done } = interpret({
    generator,
    threads,
    processFirst: 0,
    nodes: ['1', '2', '3'],
    open: () => ({
      invoke: (request, end) => clock.after(latencyNs, () => end(answer(request, number++))),
      close() {},
    }),
    clock,
    random: seededRandom(seed, 'test'),
    recorder: new Recorder((op) => history.push(op)),
  });
  clock.run();
  await done;
  return history;
}

const invoked = (history: readonly Op[]) => history.filter(({ type }) => type === 'invoke');
const names = (history: readonly Op[]) => invoked(history).map(({ f }) => f);
const many = (f: string) => repeat(one({ f }));

t.test('a script is carried out by its threads at its times, late where a thread is busy', async (t) => {
  const ops = [
    { time: 5 * ms, thread: 1, f: 'a' },
    { time: 6 * ms, thread: 1, f: 'b' },
    { time: 7 * ms, thread: 0, f: 'c', key: 'x', value: 3 },
    { time: 90 * ms, thread: 2, f: 'd' },
  ];
  const seen = invoked(await simulate(scripted(ops)));
  t.same(
    seen.map(({ f, time, process }) => [f, time / ms, process]),
    [
      ['a', 5, 1],
      ['c', 7, 0],
      ['b', 15, 1],
      ['d', 90, 2],
    ],
  );
  t.match(seen[1], { key: 'x', value: 3 });
});

t.test('how many', async (t) => {
  t.same(names(await simulate(one({ f: 'a' }))), ['a']);
  t.same(names(await simulate(nothing)), []);
  t.same(names(await simulate(limit(2, many('a')))), ['a', 'a']);
  t.same(names(await simulate(once(many('a')))), ['a']);
  t.same(names(await simulate(repeat(one({ f: 'a' }), 3))), ['a', 'a', 'a']);
  t.same(names(await simulate(cycle(sequence(one({ f: 'a' }), one({ f: 'b' })), 2))), ['a', 'b', 'a', 'b']);
  t.same(names(await simulate(cycle(nothing))), [], 'what never asks for anything does not hang');
  let left = 3;
  t.same(names(await simulate(from(() => (left-- > 0 ? { f: 'a' } : undefined)))), ['a', 'a', 'a']);
});

t.test('which', async (t) => {
  const numbered = map(({ f }, { time }) => ({ f: `${f}@${time / ms}` }), delay(10 * ms, limit(2, many('a'))));
  t.same(names(await simulate(numbered)), ['a@0', 'a@10']);
  let number = 0;
  const odd = filter(
    ({ value }) => Number(value) % 2 === 1,
    from(() => ({ f: 'a', value: number++ })),
  );
  t.same(
    invoked(await simulate(limit(3, odd))).map(({ value }) => value),
    [1, 3, 5],
  );
  t.same(names(await simulate(limit(5, flipFlop(many('a'), many('b'))))), ['a', 'b', 'a', 'b', 'a']);
  t.same(names(await simulate(flipFlop(limit(1, many('a')), many('b')))), ['a', 'b'], 'ends with the first to end');
  const both = names(await simulate(any(limit(2, many('a')), limit(2, many('b'))))).sort();
  t.same(both, ['a', 'a', 'b', 'b']);
  t.same(
    names(await simulate(any(sequence(sleep(s), one({ f: 'soon' })), sequence(sleep(5 * s), one({ f: 'late' }))))),
    ['soon', 'late'],
    'the sooner first, whichever is asked first',
  );
});

t.test('mix keeps its odds', async (t) => {
  const history = await simulate(
    limit(
      4000,
      mix([
        [3, many('a')],
        [1, many('b')],
      ]),
    ),
  );
  const share = names(history).filter((f) => f === 'a').length / 4000;
  t.ok(share > 0.72 && share < 0.78, `three of four: ${share}`);
  t.same(
    names(
      await simulate(
        mix([
          [1, limit(2, many('a'))],
          [1, limit(1, many('b'))],
        ]),
      ),
    ).sort(),
    ['a', 'a', 'b'],
  );
});

t.test('untilOk goes on until one of its own succeeds', async (t) => {
  const answer = (_: Request, number: number): Outcome => (number < 3 ? { type: 'fail' } : { type: 'ok' });
  t.same(names(await simulate(untilOk(many('a')), { threads: 1, answer })), ['a', 'a', 'a', 'a']);
});

t.test('processLimit counts processes, not threads', async (t) => {
  const answer = (): Outcome => ({ type: 'info', error: 'timeout' });
  const history = await simulate(processLimit(5, many('a')), { threads: 2, answer });
  t.equal(new Set(invoked(history).map(({ process }) => process)).size, 5);
});

t.test('trace sees what passes', async (t) => {
  const seen: string[] = [];
  await simulate(trace((what) => seen.push('type' in what ? what.type : 'op'), one({ f: 'a' })));
  t.same(seen, ['op', 'invoke', 'ok']);
});

t.test('when', async (t) => {
  const times = (history: readonly Op[]) => invoked(history).map(({ time }) => time / ms);
  t.same(times(await simulate(delay(100 * ms, limit(3, many('a'))))), [0, 100, 200]);
  t.same(times(await simulate(sequence(sleep(s), one({ f: 'a' })))), [1000]);
  const limited = await simulate(timeLimit(s, delay(300 * ms, many('a'))));
  t.same(times(limited), [0, 300, 600, 900], 'nothing begins after the end');
  const waiting = await simulate(sequence(timeLimit(s, sleep(60 * s)), one({ f: 'after' })));
  t.same(times(waiting), [1000], 'the limit ends what waits');
});

t.test('stagger keeps the rate that was asked for', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.integer({ min: 20, max: 500 }),
      async (seed, rate) => {
        const history = await simulate(timeLimit(10 * s, stagger(Math.round(s / rate), many('a'))), {
          seed,
          threads: 50,
        });
        const got = invoked(history).length / 10;
        return Math.abs(got - rate) / rate < 0.2;
      },
    ),
    { numRuns: 10 },
  );
});

t.test('a schedule that fell behind is caught up with, for a second', async (t) => {
  // One thread, and the first operation takes 500 ms: fifty operations are late, and all follow.
  let calls = 0;
  const clock = new VirtualClock();
  const history: Op[] = [];
  const { done } = interpret({
    generator: timeLimit(s, delay(10 * ms, many('a'))),
    threads: 1,
    processFirst: 0,
    nodes: ['1'],
    open: () => ({
      invoke: (_, end) => clock.after(calls++ === 0 ? 500 * ms : ms, () => end({ type: 'ok' })),
      close() {},
    }),
    clock,
    random: seededRandom(1, 'test'),
    recorder: new Recorder((op) => history.push(op)),
  });
  clock.run();
  const { lateness } = await done;
  t.equal(invoked(history).length, 100);
  t.equal(lateness.maxNs, 490 * ms, 'and how late they were is known');
  t.ok(lateness.late > 45);
});

t.test('who', async (t) => {
  const threads = (history: readonly Op[]) => [...new Set(invoked(history).map(({ process }) => process))].sort();
  t.same(threads(await simulate(limit(20, clients(many('a'))))), [0, 1, 2]);
  await t.rejects(simulate(nemesis(many('a'))), /waits for nothing/, 'there is no nemesis among client threads');
  t.same(
    threads(
      await simulate(
        limit(
          9,
          onThreads((thread) => thread === 1, many('a')),
        ),
      ),
    ),
    [1],
  );
  const each = await simulate(eachThread(sequence(one({ f: 'a' }), one({ f: 'b' }))));
  for (const process of [0, 1, 2]) t.same(names(each.filter((op) => op.process === process)), ['a', 'b']);
  const reserved = invoked(await simulate(limit(300, reserve([[1, many('a')]], many('b')))));
  t.same([...new Set(reserved.filter(({ f }) => f === 'a').map(({ process }) => process))], [0]);
  t.same([...new Set(reserved.filter(({ f }) => f === 'b').map(({ process }) => process))].sort(), [1, 2]);
});

t.test('phases wait for all of what came before', async (t) => {
  for (const two of [
    phases(limit(5, many('a')), limit(2, many('b'))),
    then(limit(5, many('a')), limit(2, many('b'))),
    sequence(limit(5, many('a')), synchronize(limit(2, many('b')))),
  ]) {
    const history = await simulate(two);
    const firstB = history.findIndex(({ f }) => f === 'b');
    t.equal(history.slice(0, firstB).filter(({ type }) => type === 'ok').length, 5);
    t.equal(names(history).filter((f) => f === 'b').length, 2);
  }
});

t.test('independent keys', async (t) => {
  const keyAt = (number: number) => (number < 3 ? `k${number}` : undefined);
  const each = () => limit(4, many('a'));
  const keys = (history: readonly Op[]) => invoked(history).map(({ key }) => key);
  t.same(keys(await simulate(sequentialKeys(keyAt, each), { threads: 1 })), [
    ...Array(4).fill('k0'),
    ...Array(4).fill('k1'),
    ...Array(4).fill('k2'),
  ]);
  const history = await simulate(concurrentKeys(2, keyAt, each), { threads: 4 });
  t.same(keys(history).sort(), [...Array(4).fill('k0'), ...Array(4).fill('k1'), ...Array(4).fill('k2')]);
  for (const key of ['k0', 'k1']) {
    const groups = new Set(
      invoked(history)
        .filter((op) => op.key === key)
        .map(({ process }) => Math.floor(Number(process) / 2)),
    );
    t.equal(groups.size, 1, `${key} belongs to one group of threads`);
  }
  await t.rejects(simulate(concurrentKeys(2, keyAt, each), { threads: 3 }), /cannot be grouped/);
});

t.test('a mistaken generator ends the run with its error', async (t) => {
  const hopeless: Generator = { op: () => ({ kind: 'pending', next: hopeless }), update: () => hopeless };
  await t.rejects(simulate(hopeless), /waits for nothing/);
  await t.rejects(simulate(filter(() => false, many('a'))), /refused every operation/);
});

t.test('the same seed gives the same history, another one another', async (t) => {
  const run = (seed: number) =>
    simulate(timeLimit(5 * s, stagger(5 * ms, register.generator({ keys: 3, opsPerKey: 50 }))), {
      seed,
      threads: 5,
      answer: ({ f }, number) =>
        number % 7 === 3
          ? { type: 'info', error: 'timeout' }
          : f === 'read'
            ? { type: 'ok', value: number }
            : { type: 'ok' },
    });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 32 - 1 }), async (seed) => {
      const [one, two, other] = await Promise.all([run(seed), run(seed), run(seed + 1)]);
      t.equal(JSON.stringify(one), JSON.stringify(two));
      t.not(JSON.stringify(one), JSON.stringify(other));
    }),
    { numRuns: 10 },
  );
});

t.test('a process is never used again after an uncertain operation', async (t) => {
  const history = await simulate(limit(200, many('a')), {
    threads: 4,
    answer: (_, number) => (number % 3 === 0 ? { type: 'info', error: 'timeout' } : { type: 'ok' }),
  });
  const retired = new Set<number | 'nemesis'>();
  for (const { process, type } of history) {
    t.notOk(retired.has(process));
    if (type === 'info') retired.add(process);
  }
  t.ok(retired.size > 50);
  for (const { process } of history) t.ok(Number(process) < 4 || retired.has(Number(process) - 4), 'it follows one');
});
