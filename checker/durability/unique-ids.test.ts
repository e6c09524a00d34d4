import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { checkUniqueIds } from './unique-ids.ts';

function check(...ids: readonly (readonly [type: Op['type'], id: Value])[]) {
  return checkUniqueIds(
    ids.flatMap(([type, value], at): Op[] => [
      { index: 2 * at, time: 0, process: at, type: 'invoke', f: 'generate' },
      { index: 2 * at + 1, time: 0, process: at, type, f: 'generate', value },
    ]),
  );
}

t.test('ids are given once', async (t) => {
  t.match(check(['ok', 1], ['ok', '1'], ['ok', [1]], ['info', 1]), { valid: true, counts: { acknowledged: 3 } });
  const twice = check(['ok', 'a'], ['ok', 'b'], ['ok', 'a']);
  t.equal(twice.valid, false);
  t.match(twice.anomalies, [{ kind: 'duplicate-id', ops: [1, 5], evidence: { id: 'a' } }]);
  t.equal(check().valid, 'unknown');
  t.equal(check(['fail', 1]).valid, 'unknown');
});
