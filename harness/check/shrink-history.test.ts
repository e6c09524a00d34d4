import fc from 'fast-check';
import t from 'tap';
import { Events } from '../../checker/history/events.ts';
import type { Op, Value } from '../../checker/history/op.ts';
import { mergeSections, type Section } from '../../checker/verdict.ts';
import { signatureOf } from '../simulate/signature.ts';
import { checkModels, type ModelOptions } from './check-models.ts';
import { shrinkHistory } from './shrink-history.ts';

type Line = readonly [process: number, type: Op['type'], f: string, value: Value];

const historyOf = (lines: readonly Line[]): Op[] =>
  lines.map(([process, type, f, value], index) => ({ index, time: 0, process, type, f, value }));

async function shrink(name: string, history: readonly Op[], wanted?: string, options: ModelOptions = {}) {
  const model = checkModels.get(name)!;
  const section = await model.check(Events.of(history), options);
  const [first] = signatureOf(mergeSections({ [model.section]: section }));
  const target = wanted ?? first;
  if (target === undefined) return undefined;
  const settled = { ...model.settled?.(section), ...options };
  const shrunk = await shrinkHistory(history, {
    model,
    options: settled,
    wanted: target,
    section,
    signal: new AbortController().signal,
    onSmaller() {},
  });
  return { ...shrunk, section, after: await model.check(Events.of(shrunk.ops), settled) };
}

const values = ({ ops }: { readonly ops: readonly Op[] }) =>
  ops.map(({ type, value }) => `${type} ${JSON.stringify(value)}`);

t.test('what has nothing to do with the anomaly is left out', async (t) => {
  const noise = Array.from({ length: 60 }, (_, at): Line[] => [
    [9, 'invoke', 'txn', [['append', 'noise', at]]],
    [9, 'ok', 'txn', [['append', 'noise', at]]],
  ]);
  const lines: Line[] = [
    ...noise.slice(0, 30).flat(),
    [
      0,
      'invoke',
      'txn',
      [
        ['r', 'x', null],
        ['append', 'y', 1],
      ],
    ],
    [
      1,
      'invoke',
      'txn',
      [
        ['r', 'y', null],
        ['append', 'x', 1],
      ],
    ],
    ...noise.slice(30).flat(),
    [
      0,
      'ok',
      'txn',
      [
        ['r', 'x', []],
        ['append', 'y', 1],
      ],
    ],
    [
      1,
      'ok',
      'txn',
      [
        ['r', 'y', []],
        ['append', 'x', 1],
      ],
    ],
  ];
  const shrunk = (await shrink('list-append', historyOf(lines)))!;
  t.same(shrunk.places, [60, 61, 122, 123]);
  t.same(
    shrunk.ops.map(({ index }) => index),
    [0, 1, 2, 3],
  );
  t.match(shrunk.after, { valid: false, details: { anomalyTypes: ['G2-item'] } });
});

t.test('what was seen keeps what it was seen of, where only that makes it wrong', async (t) => {
  const register = (await shrink(
    'cas-register',
    historyOf([
      [0, 'invoke', 'write', 1],
      [0, 'ok', 'write', 1],
      [0, 'invoke', 'write', 3],
      [0, 'ok', 'write', 3],
      [0, 'invoke', 'write', 2],
      [0, 'ok', 'write', 2],
      [1, 'invoke', 'read', null],
      [1, 'ok', 'read', 1],
      [1, 'invoke', 'read', null],
      [1, 'ok', 'read', 2],
    ]),
  ))!;
  t.ok(values(register).includes('ok 1'), 'a stale read is not made a read of nothing');
  t.equal(values(register).filter((one) => one.startsWith('invoke') && one !== 'invoke null').length, 2);

  const garbage = (await shrink(
    'list-append',
    historyOf([
      [0, 'ok', 'txn', [['append', 'x', 1]]],
      [0, 'ok', 'txn', [['append', 'y', 1]]],
      [1, 'ok', 'txn', [['r', 'x', [1, 7]]]],
      [1, 'ok', 'txn', [['r', 'y', [1]]]],
    ]),
    'txn:garbage-read',
  ))!;
  t.same(values(garbage), ['ok [["append","x",1]]', 'ok [["r","x",[1,7]]]']);

  const queue = (await shrink(
    'total-queue',
    historyOf([
      [0, 'invoke', 'enqueue', 1],
      [0, 'ok', 'enqueue', 1],
      [0, 'invoke', 'enqueue', 2],
      [0, 'ok', 'enqueue', 2],
      [1, 'invoke', 'dequeue', null],
      [1, 'ok', 'dequeue', 2],
      [1, 'invoke', 'drain', null],
      [1, 'ok', 'drain', []],
    ]),
  ))!;
  t.same(values(queue), ['invoke 1', 'ok 1', 'invoke null', 'ok []']);
});

t.test('what a checker takes from the beginning stays as it was', async (t) => {
  const reads = [
    { a: 5, b: 5 },
    { a: 4, b: 6 },
    { a: 4, b: 5 },
  ].flatMap((value): Line[] => [
    [0, 'invoke', 'read', null],
    [0, 'ok', 'read', value],
  ]);
  const shrunk = (await shrink('bank', historyOf(reads)))!;
  t.same(values(shrunk), ['invoke null', 'ok {"a":4,"b":5}']);
});

t.test('an interrupted one keeps what it has', async (t) => {
  const model = checkModels.get('unique-ids')!;
  const history = historyOf(Array.from({ length: 20 }, (): Line => [0, 'ok', 'generate', 7]));
  const { ops, tried } = await shrinkHistory(history, {
    model,
    options: {},
    wanted: 'unique-ids:duplicate-id',
    section: { ...(await model.check(Events.of(history), {})), anomalies: [] },
    signal: AbortSignal.abort(),
    onSmaller() {},
  });
  t.equal(ops.length, 20);
  t.equal(tried, 0);
});

/** The elements of which a section says something. */
const blamed = ({ anomalies }: Section, kind: string): string[] =>
  anomalies.filter((anomaly) => anomaly.kind === kind).map(({ evidence }) => JSON.stringify(evidence.element));

t.test('no anomaly comes in by leaving out', async (t) => {
  const value = fc.integer({ min: 0, max: 4 });
  const call = (f: string, given: fc.Arbitrary<Value>, answer: fc.Arbitrary<Value>) =>
    fc.tuple(fc.constant(f), given, answer, fc.constantFrom<Op['type']>('ok', 'ok', 'ok', 'fail', 'info'));
  const nothing = fc.constant(null);
  const models = {
    'set-full': fc.oneof(call('add', value, nothing), call('read', nothing, fc.uniqueArray(value, { maxLength: 3 }))),
    'total-queue': fc.oneof(
      call('enqueue', value, nothing),
      call('dequeue', nothing, value),
      call('drain', nothing, fc.array(value, { maxLength: 2 })),
    ),
  };
  let found = 0;
  for (const [name, calls] of Object.entries(models)) {
    await fc.assert(
      fc.asyncProperty(fc.array(calls, { minLength: 1, maxLength: 12 }), async (made) => {
        const lines = made.flatMap(([f, given, answer, type], process): Line[] => [
          [process, 'invoke', f, given],
          [process, type, f, f === 'add' || f === 'enqueue' ? given : answer],
        ]);
        const history = historyOf(lines);
        const model = checkModels.get(name)!;
        const section = await model.check(Events.of(history), {});
        for (const wanted of signatureOf(mergeSections({ [model.section]: section }))) {
          found++;
          const shrunk = (await shrink(name, history, wanted))!;
          const kind = wanted.slice(name.length + 1);
          const [before, after] = [blamed(section, kind), blamed(shrunk.after, kind)];
          if (after.length === 0 || after.some((element) => !before.includes(element))) return false;
        }
        return true;
      }),
      { numRuns: 3000 },
    );
  }
  t.ok(found > 100, `${found} anomalies were shrunk`);
});
