import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { checkLinear } from './check.ts';

/** `w1 0 5` lines: process, type, f, value. */
function history(...lines: readonly (readonly [number, Op['type'], string, Value?, string?])[]): Op[] {
  return lines.map(([process, type, f, value, error], index) => ({
    index,
    time: index,
    process,
    type,
    f,
    ...(value === undefined ? {} : { value }),
    ...(error === undefined ? {} : { error }),
  }));
}

t.test('a stale read is not linearizable', async (t) => {
  const section = checkLinear(
    history(
      [0, 'invoke', 'write', 1],
      [0, 'ok', 'write', 1],
      [0, 'invoke', 'write', 2],
      [0, 'ok', 'write', 2],
      [1, 'invoke', 'read'],
      [1, 'ok', 'read', 1],
    ),
    { model: 'register' },
  );
  t.equal(section.valid, false);
  t.equal(section.anomalies[0]?.kind, 'nonlinearizable');
});

t.test('what one operation answered, nobody can have made it see', async (t) => {
  const { anomalies, summary } = checkLinear(history([0, 'invoke', 'read'], [0, 'ok', 'read', 5]), {
    model: 'register',
  });
  t.equal(anomalies[0]?.message, 'no order of the operations explains the answer of one: read → 5');
  t.equal(summary, 'not linearizable: 1 of 1 key; 1 operation on 1 key');
});

t.test('a write of unknown outcome may have happened or not', async (t) => {
  for (const value of [null, 1]) {
    const section = checkLinear(
      history([0, 'invoke', 'write', 1], [0, 'info', 'write', 1], [1, 'invoke', 'read'], [1, 'ok', 'read', value]),
      { model: 'register' },
    );
    t.equal(section.valid, true);
  }
});

t.test('a failed cas is an observation', async (t) => {
  const ops = history(
    [0, 'invoke', 'write', 1],
    [0, 'ok', 'write', 1],
    [0, 'invoke', 'cas', [1, 2]],
    [0, 'fail', 'cas', [1, 2], 'cas-mismatch'],
  );
  t.equal(checkLinear(ops, { model: 'cas-register' }).valid, false);
  t.equal(
    checkLinear(ops, { model: 'cas-register', failedCas: 'ignored' }).valid,
    'unknown',
    'nothing else was observed',
  );
});

t.test(
  'a failed cas may have seen any write of unknown outcome, also one before another of what it expected',
  async (t) => {
    const ops = history(
      [0, 'invoke', 'write', 1],
      [0, 'ok', 'write', 1],
      [1, 'invoke', 'write', 2],
      [2, 'invoke', 'write', 1],
      [3, 'invoke', 'cas', [1, 3]],
      [3, 'fail', 'cas', [1, 3], 'cas-mismatch'],
    );
    t.equal(checkLinear(ops, { model: 'cas-register' }).valid, true);
  },
);

t.test('a call of unknown outcome may hide a write also where it brings back the state before', async (t) => {
  const ops = history(
    [0, 'invoke', 'put', 'b'],
    [1, 'invoke', 'delete'],
    [2, 'invoke', 'cas', [null, 'a']],
    [2, 'ok', 'cas', [null, 'a']],
    [0, 'ok', 'put', 'b'],
    [0, 'invoke', 'get'],
    [0, 'ok', 'get', 'a'],
  );
  t.equal(checkLinear(ops, { model: 'kv' }).valid, true);
});

t.test('nothing is unknown', async (t) => {
  t.equal(checkLinear([], { model: 'register' }).valid, 'unknown');
});
