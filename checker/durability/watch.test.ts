import fc from 'fast-check';
import t from 'tap';
import type { Op, OpType, Value } from '../history/op.ts';
import { checkWatch } from './watch.ts';

type Line = readonly [process: number, type: OpType, f: string, value: Value, key?: string];

const historyOf = (lines: readonly Line[]): Op[] =>
  lines.map(([process, type, f, value, key], index) => ({
    index,
    time: 0,
    process,
    type,
    f,
    value,
    ...(key === undefined ? {} : { key }),
  }));

const write = (key: string, value: Value, revision: Value, type: OpType = 'ok'): Line[] => [
  [0, 'invoke', 'write', value, key],
  [0, type, 'write', revision === null ? value : [revision, value], key],
];

const watch = (
  events: Value,
  { watcher = 'w', from = 1, type = 'ok', ...more }: { [name: string]: Value } = {},
): Line[] => [
  [9, 'invoke', 'watch', { watcher, from, ...more }],
  [9, type as OpType, 'watch', { watcher, from, events, ...more }],
];

const kinds = (...lines: readonly (readonly Line[])[]): string[] =>
  checkWatch(historyOf(lines.flat())).anomalies.map(({ kind }) => kind);

const two = [write('x', 1, 1), write('y', 2, 2)];
const told: Value = [
  [1, 'x', 1],
  [2, 'y', 2],
];

t.test('what a watch promises', async (t) => {
  t.equal(checkWatch(historyOf([...two, watch(told)].flat())).valid, true);
  t.same(
    kinds(
      ...two,
      watch([
        [2, 'y', 2],
        [1, 'x', 1],
      ]),
    ),
    ['out-of-order-event'],
  );
  t.same(
    kinds(
      ...two,
      watch([
        [1, 'x', 1],
        [1, 'x', 1],
        [2, 'y', 2],
      ]),
    ),
    ['repeated-event'],
  );
  t.same(kinds(...two, watch([[2, 'y', 2]])), ['missed-event'], 'an acknowledged write');
  t.same(kinds(...two, watch([[1, 'x', 1]])), [], 'what comes after its last event was not promised yet');
  t.same(kinds(...two, watch([[1, 'x', 1]], { to: 2 })), ['missed-event'], 'unless it says that it was told of all');
  t.same(kinds(...two, watch([[2, 'y', 2]], { from: null })), [], 'from now on');
  t.same(kinds(...two, watch([[2, 'y', 2]], { key: 'y' })), [], 'one key');
  t.same(kinds(...two, watch([[2, 'y', 2]], { prefix: 'y' })), [], 'a prefix');
  t.same(kinds(...two, watch(told, { key: 'y' })), ['unasked-event']);
  t.same(
    kinds(
      ...two,
      watch([
        [1, 'x', 1],
        [2, 'y', 2],
        [3, 'x', 7],
      ]),
    ),
    ['unexpected-event'],
    'nobody wrote it',
  );
  t.same(kinds(write('x', 1, null, 'fail'), watch([[1, 'x', 1]])), ['unexpected-event'], 'its write failed');
  t.same(kinds(watch([[1, 'x', 1]]), write('x', 1, 1)), [], 'told before it was answered');
  t.same(kinds(watch([[1, 'x', 1]]), write('x', 1, null)), ['unexpected-event'], 'told before it was written');
  t.same(
    kinds(
      ...two,
      watch([
        [1, 'x', 1],
        [3, 'y', 2],
      ]),
    ),
    ['conflicting-event', 'missed-event'],
    'another revision',
  );
});

t.test('resumable', async (t) => {
  const resumed = (from: Value, events: Value) =>
    checkWatch(
      historyOf([...two, watch([[1, 'x', 1]], { type: 'info' }), write('x', 3, 3), watch(events, { from })].flat()),
    );
  t.equal(
    resumed(2, [
      [2, 'y', 2],
      [3, 'x', 3],
    ]).valid,
    true,
  );
  t.match(resumed(2, [[3, 'x', 3]]).anomalies, [
    { kind: 'missed-event', message: /watcher "w", resumed after revision 1, .* was not told of \[2, "y", 2\]/ },
  ]);
  t.match(
    resumed(2, [
      [1, 'x', 1],
      [2, 'y', 2],
    ]).anomalies,
    [{ kind: 'early-event', evidence: { watcher: 'w', from: 2, event: [1, 'x', 1] } }],
  );
  t.equal(
    resumed(1, [
      [1, 'x', 1],
      [2, 'y', 2],
    ]).valid,
    true,
    'what is asked for again comes again',
  );
});

t.test('watchers are compared with each other', async (t) => {
  const open = write('x', 5, null, 'info');
  const a = watch(
    [
      [1, 'x', 5],
      [2, 'y', 2],
    ],
    { watcher: 'a' },
  );
  const y = write('y', 2, 2);
  t.same(kinds(open, y, a, watch([[2, 'y', 2]], { watcher: 'b' })), ['missed-event'], 'one of unknown outcome');
  t.same(kinds(open, y, a, watch([[2, 'y', 2]], { watcher: 'b', from: 2 })), []);
  t.same(kinds(open, y, watch([[2, 'y', 2]], { watcher: 'b' })), [], 'that nobody was told of');
  t.same(kinds(open, y, a, watch([[1, 'y', 2]], { watcher: 'b' })), ['conflicting-event', 'missed-event']);
  t.same(kinds(write('x', 1, 1), write('x', 2, 1), watch([])), ['shared-revision']);
});

t.test('deletes', async (t) => {
  const gone = (revision: Value): Line[] => [
    [0, 'invoke', 'delete', null, 'x'],
    [0, revision === null ? 'info' : 'ok', 'delete', revision === null ? null : [revision, null], 'x'],
  ];
  t.same(
    kinds(
      write('x', 1, 1),
      gone(2),
      watch([
        [1, 'x', 1],
        [2, 'x', null],
      ]),
    ),
    [],
  );
  t.same(
    kinds(
      write('x', 1, 1),
      gone(null),
      watch([
        [1, 'x', 1],
        [2, 'x', null],
      ]),
    ),
    [],
  );
  t.same(
    kinds(
      write('x', 1, 1),
      gone(null),
      watch([
        [1, 'x', 1],
        [2, 'x', null],
        [3, 'x', null],
      ]),
    ),
    ['unexpected-event'],
  );
  t.same(kinds(write('x', 1, 1), gone(2), watch([[1, 'x', 1]], { to: 2 })), ['missed-event']);
});

t.test('revisions follow the order of writes', async (t) => {
  t.same(
    kinds(
      write('x', 1, 2),
      write('y', 2, 1),
      watch([
        [1, 'y', 2],
        [2, 'x', 1],
      ]),
    ),
    ['revision-regression'],
  );
});

t.test('what cannot be judged', async (t) => {
  t.equal(checkWatch([]).valid, 'unknown');
  t.equal(checkWatch(historyOf(two.flat())).valid, 'unknown');
  t.throws(
    () => checkWatch(historyOf(watch([[1, 'x']].concat([[]])))),
    /an event of a watch is \[revision, key, value\]/,
  );
  t.throws(() => checkWatch(historyOf([...write('x', 1, 1), ...write('x', 1, 2)])), /values must be unique/);
});

t.test('what a sound store tells is valid, and what one event is changed in is not', (t) => {
  const step = fc.record({
    key: fc.constantFrom('a', 'ab', 'b'),
    outcome: fc.constantFrom<OpType>('ok', 'ok', 'info'),
  });
  const asked = fc.record({
    from: fc.integer({ min: 1, max: 6 }),
    length: fc.nat(10),
    filter: fc.constantFrom({}, { key: 'a' }, { prefix: 'a' }),
  });
  const property = fc.property(
    fc.array(step, { minLength: 1, maxLength: 8 }),
    fc.array(asked, { minLength: 1, maxLength: 4 }),
    fc.nat(),
    (steps, watches, place) => {
      const log = steps.map(({ key }, at): [number, string, Value] => [at + 1, key, at + 100]);
      const writes = steps.flatMap(({ key, outcome }, at) =>
        write(key, at + 100, outcome === 'ok' ? at + 1 : null, outcome),
      );
      const seen = watches.map(({ from, length, filter }, at) => {
        const fits = (key: string) => ('key' in filter ? key === 'a' : 'prefix' in filter ? key.startsWith('a') : true);
        return {
          at,
          from,
          filter,
          events: log.filter(([revision, key]) => revision >= from && fits(key)).slice(0, length),
        };
      });
      const lines = (of: typeof seen) =>
        of.flatMap(({ at, from, filter, events }) => watch(events, { watcher: at, from, ...filter }));
      const all = seen.flatMap(({ events }) => events).length;
      const section = checkWatch(historyOf([...writes, ...lines(seen)]));
      if (all === 0) return section.valid === 'unknown';
      if (section.valid !== true) return false;
      // One event is given another value: whatever it is, somebody notices.
      let left = place % all;
      const changed = seen.map((one) => ({
        ...one,
        events: one.events.map((event) =>
          left-- === 0 ? ([event[0], event[1], 7] as [number, string, Value]) : event,
        ),
      }));
      return checkWatch(historyOf([...writes, ...lines(changed)])).valid === false;
    },
  );
  fc.assert(property, { numRuns: 300 });
  t.end();
});
