import t from 'tap';
import { encodeOp } from '../history/ndjson.ts';
import type { Op, Value } from '../history/op.ts';
import { parseHistory } from '../history/parse.ts';
import { checkTxn } from './check.ts';

t.test('what no reader of bytes takes is refused as it is in operations', (t) => {
  const values: readonly Value[] = [
    [['append', 'x']],
    [['append', 'x', 1, 'more']],
    [['append', null, [1, [2]]]],
    [['r', 'x', 5]],
    [['r', 'x', 'text']],
    [['r']],
    [['cas', 'x', 1]],
    [['r', 'x', [1234567890123, 'a', [], null]]],
    [[], 5],
    [['append', 'x', 1], 5],
  ];
  for (const value of values) {
    for (const type of ['ok', 'info'] as const) {
      const op: Op = { index: 0, time: 0, process: 0, type, f: 'txn', value };
      const { events } = parseHistory(new TextEncoder().encode(`${encodeOp(op)}${'\n'.repeat(100)}`));
      for (const model of ['list-append', 'rw-register'] as const) {
        t.strictSame(checkTxn(events, { model }), checkTxn([op], { model }), `${model} ${JSON.stringify(value)}`);
      }
    }
  }
  t.end();
});
