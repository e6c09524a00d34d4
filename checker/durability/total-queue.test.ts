import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { checkTotalQueue } from './total-queue.ts';

type Call = readonly [f: 'enqueue' | 'dequeue' | 'drain', value: Value, type?: Op['type'], key?: Value];

/** Calls one after another. */
function check(...calls: readonly Call[]) {
  return checkTotalQueue(
    calls.flatMap(([f, value, type = 'ok', key], at): Op[] => {
      const common = { time: 0, process: at, f, ...(key === undefined ? {} : { key }) };
      return [
        { ...common, index: 2 * at, type: 'invoke', value: f === 'enqueue' ? value : null },
        { ...common, index: 2 * at + 1, type, value },
      ];
    }),
  );
}

t.test('what goes in comes out', async (t) => {
  t.equal(check(['enqueue', 1], ['enqueue', 2], ['dequeue', 1], ['drain', [2]]).valid, true);
  const again = check(['enqueue', 1], ['dequeue', 1], ['dequeue', 1]);
  t.match(again, { valid: true, counts: { again: 1 } });
  const lost = check(['enqueue', 1], ['enqueue', 2], ['dequeue', 1], ['drain', []]);
  t.equal(lost.valid, false);
  t.match(lost.anomalies, [{ kind: 'lost-element', ops: [2], evidence: { element: 2, acknowledged: 1, dequeued: 0 } }]);
  t.equal(check(['enqueue', 1], ['enqueue', 1], ['drain', [1]]).valid, false, 'twice in, once out');
  t.equal(check(['enqueue', 1], ['drain', []], ['enqueue', 1]).valid, false, 'the one before the drain is lost');
  for (const call of [[], [['enqueue', 7, 'fail']]] as const) {
    const made = check(...call, ['dequeue', 7]);
    t.match(made.anomalies, [{ kind: 'unexpected-element', evidence: { element: 7 } }]);
  }
});

t.test('unknown outcomes', async (t) => {
  t.equal(check(['enqueue', 1], ['enqueue', 2, 'info'], ['drain', [1]]).valid, true);
  t.equal(check(['enqueue', 1], ['enqueue', 2, 'info'], ['drain', [1, 2]]).valid, true);
  const taken = check(['enqueue', 1], ['dequeue', null, 'info'], ['drain', []]);
  t.equal(taken.valid, 'unknown');
  t.match(taken.reason, /1 element may have gone to dequeues of unknown outcome/);
  t.equal(check(['enqueue', 1], ['enqueue', 2], ['dequeue', null, 'info'], ['drain', []]).valid, false, 'too few');
  const drain = check(['enqueue', 1], ['enqueue', 2], ['drain', null, 'info'], ['drain', []]);
  t.equal(drain.valid, 'unknown', 'a drain may have taken them all');
});

t.test('nothing is unknown', async (t) => {
  t.match(check().reason, /no enqueue was acknowledged/);
  t.match(check(['drain', []], ['enqueue', 1]).reason, /1 element never came out, and no drain followed/);
  t.match(check(['enqueue', 1, 'ok', 'a'], ['drain', [], 'ok', 'b']).reason, /no drain followed/);
  t.match(check(['drain', 3]).reason, /operation 1 drained 3, which is no list/);
});
