import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { checkCounterBounds } from './counter-bounds.ts';

type Step = readonly [process: number, type: Op['type'], f: string, value?: Value, key?: Value];

function check(...steps: readonly Step[]) {
  return checkCounterBounds(
    steps.map(([process, type, f, value = null, key], index) => ({
      index,
      time: index,
      process,
      type,
      f,
      value,
      ...(key === undefined ? {} : { key }),
    })),
  );
}

const concurrent = (seen: number): Step[] => [
  [0, 'invoke', 'add', 5],
  [0, 'ok', 'add', 5],
  [1, 'invoke', 'add', -2],
  [3, 'invoke', 'read'],
  [2, 'invoke', 'add', 1],
  [2, 'ok', 'add', 1],
  [1, 'ok', 'add', -2],
  [3, 'ok', 'read', seen],
];

t.test('a read lies between what was certain and what was possible', async (t) => {
  for (const seen of [3, 4, 5, 6]) t.equal(check(...concurrent(seen)).valid, true, `${seen}`);
  for (const seen of [2, 7]) {
    const section = check(...concurrent(seen));
    t.equal(section.valid, false, `${seen}`);
    t.match(section.anomalies, [{ kind: 'out-of-bounds', ops: [3, 7], evidence: { value: seen, lower: 3, upper: 6 } }]);
  }
});

t.test('outcomes', async (t) => {
  const after = (type: 'fail' | 'info', seen: number) =>
    check([0, 'invoke', 'add', 5], [0, type, 'add', 5], [1, 'invoke', 'read'], [1, 'ok', 'read', seen]).valid;
  t.equal(after('fail', 0), true);
  t.equal(after('fail', 5), false);
  t.equal(after('info', 0), true);
  t.equal(after('info', 5), true);
  t.equal(after('info', 6), false);
});

t.test('keys are counters of their own', async (t) => {
  const section = check(
    [0, 'invoke', 'add', 5, 'a'],
    [0, 'ok', 'add', 5, 'a'],
    [1, 'invoke', 'read', null, 'b'],
    [1, 'ok', 'read', 5, 'b'],
  );
  t.match(section.anomalies, [{ key: 'b', evidence: { lower: 0, upper: 0 } }]);
});

t.test('nothing is unknown', async (t) => {
  t.equal(check().valid, 'unknown');
  t.equal(check([0, 'invoke', 'add', 5], [0, 'ok', 'add', 5]).valid, 'unknown');
  t.match(check([0, 'invoke', 'read'], [0, 'ok', 'read', 'x']).reason, /operation 1 is the read of "x", which is no/);
});
