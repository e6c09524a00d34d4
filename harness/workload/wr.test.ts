import t from 'tap';
import type { Op, OpType, Value } from '../../checker/history/op.ts';
import { wr } from './wr.ts';

/** What the workload says of events of transactions. */
function judge(...events: readonly (readonly [process: number, type: OpType, value: Value])[]): unknown {
  const history = events.map(
    ([process, type, value], index): Op => ({ index, time: 0, process, type, f: 'txn', value }),
  );
  return wr.check(history, { now: () => 0 }).txn;
}

t.test('a value that nobody wrote is garbage, since the store was empty', async (t) => {
  const read = (value: Value) =>
    judge(
      [0, 'invoke', [['w', 'x', 1]]],
      [0, 'ok', [['w', 'x', 1]]],
      [0, 'invoke', null],
      [0, 'ok', [['r', 'x', value]]],
    );
  t.match(read(7), { valid: false, details: { anomalyTypes: ['garbage-read'] } });
  t.match(read(1), { valid: true });
});

t.test('what a transaction writes comes after what it read, also when everything is concurrent', async (t) => {
  const section = judge(
    [0, 'invoke', [['w', 'x', 1]]],
    [
      1,
      'invoke',
      [
        ['r', 'x', null],
        ['w', 'x', 2],
        ['w', 'y', 1],
      ],
    ],
    [
      2,
      'invoke',
      [
        ['r', 'x', null],
        ['r', 'y', null],
      ],
    ],
    [0, 'ok', [['w', 'x', 1]]],
    [
      1,
      'ok',
      [
        ['r', 'x', 1],
        ['w', 'x', 2],
        ['w', 'y', 1],
      ],
    ],
    [
      2,
      'ok',
      [
        ['r', 'x', 1],
        ['r', 'y', 1],
      ],
    ],
  );
  t.match(section, { valid: false, details: { anomalyTypes: ['G-single-item'] } });
});
