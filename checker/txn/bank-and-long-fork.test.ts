import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { checkBank } from './bank.ts';
import { checkLongFork } from './long-fork.ts';

t.test('bank', (t) => {
  const read = (value: Value): Op[] => [
    { index: 0, time: 0, process: 0, type: 'invoke', f: 'read' },
    { index: 1, time: 0, process: 0, type: 'ok', f: 'read', value },
  ];
  const kinds = (value: Value, negativeBalances = false): string[] =>
    checkBank(read(value), { accounts: [0, 1], total: 10, negativeBalances }).anomalies.map(({ kind }) => kind);
  t.strictSame(kinds({ 0: 4, 1: 6 }), []);
  t.strictSame(kinds({ 0: 4, 1: 7 }), ['wrong-total']);
  t.strictSame(kinds({ 0: -1, 1: 11 }), ['negative-value']);
  t.strictSame(kinds({ 0: -1, 1: 11 }, true), []);
  t.strictSame(kinds({ 0: null, 1: 10 }), ['nil-balance']);
  t.strictSame(kinds({ 0: 4, 2: 6 }), ['unexpected-key']);
  t.equal(checkBank([]).valid, 'unknown');
  t.end();
});

t.test('long fork', (t) => {
  const reads = (...values: Value[]): Op[] =>
    values.flatMap((value, i) => [
      { index: 2 * i, time: 0, process: i, type: 'invoke', f: 'read', value },
      { index: 2 * i + 1, time: 0, process: i, type: 'ok', f: 'read', value },
    ]);
  const forked = checkLongFork(
    reads(
      [
        ['r', 0, 1],
        ['r', 1, 1],
        ['r', 2, null],
      ],
      [
        ['r', 2, 1],
        ['r', 0, 1],
        ['r', 1, null],
      ],
    ),
  );
  t.equal(forked.valid, false);
  t.match(forked.anomalies[0]?.message, /operation 1 saw the write of 1 and not that of 2/);
  t.equal(
    checkLongFork(
      reads(
        [
          ['r', 0, 1],
          ['r', 1, null],
        ],
        [
          ['r', 0, 1],
          ['r', 1, 1],
        ],
      ),
    ).valid,
    true,
  );
  t.equal(
    checkLongFork(
      reads(
        [
          ['r', 0, 1],
          ['r', 1, null],
        ],
        [
          ['r', 0, 2],
          ['r', 1, 1],
        ],
      ),
    ).valid,
    'unknown',
  );
  t.equal(checkLongFork(reads([['w', 0, 1]], [['w', 0, 1]], [['r', 0, 1]])).valid, 'unknown');
  t.equal(checkLongFork(reads([['r', 0, 1]]), { groupSize: 2 }).valid, 'unknown');
  t.end();
});
