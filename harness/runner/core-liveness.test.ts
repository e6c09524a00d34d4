import t from 'tap';
import type { History, Op } from '../../checker/history/op.ts';
import { checkCoreLiveness, coreName } from './core-liveness.ts';

const second = 1e9;

/** A core from second to second, and writes through nodes, one each 100 ms, with what became of them. */
function history(
  cores: readonly [atS: number, nodes: string][],
  outcome: (node: string, atS: number) => Op['type'],
): History {
  const ops: Omit<Op, 'index'>[] = cores.map(([atS, nodes]) => ({
    time: atS * second,
    process: 'nemesis',
    type: 'info',
    f: coreName,
    value: { nodes: [...nodes], boundMs: 5000 },
  }));
  for (let tenth = 0; tenth < 200; tenth++) {
    const [time, node] = [(tenth / 10) * second, String((tenth % 3) + 1)];
    const base = { process: tenth, f: 'write', value: 1, node } as const;
    ops.push({ ...base, time, type: 'invoke' }, { ...base, time: time + 1e6, type: outcome(node, tenth / 10) });
  }
  return ops.sort((a, b) => a.time - b.time).map((op, index) => ({ ...op, index }));
}

t.test('a core that has had its time serves', async (t) => {
  t.equal(checkCoreLiveness(history([], () => 'ok')), undefined, 'nobody knows of cores');
  const silent = history([[0, '123']], () => 'ok').filter(({ f }) => f === coreName);
  t.equal(checkCoreLiveness(silent), undefined, 'nothing was written through it');
  const late = history([[0, '123']], (_, at) => (at < 5 ? 'fail' : 'ok'));
  t.match(checkCoreLiveness(late), { valid: true, counts: { cores: 1, writes: 150, served: 150 } });
  const never = history([[0, '123']], () => 'fail');
  t.match(checkCoreLiveness(never), { valid: false, anomalies: [{ kind: 'core-not-serving' }] });
  const short = history(
    [
      [0, '123'],
      [4, ''],
      [8, '123'],
      [12, '12'],
    ],
    () => 'info',
  );
  t.match(checkCoreLiveness(short), { valid: false, counts: { cores: 1 } }, 'only the last was there for long enough');
  const others = history([[0, '12']], (node) => (node === '3' ? 'info' : 'ok'));
  t.match(checkCoreLiveness(others), { valid: true }, 'others need not be served');
  const mostly = history([[0, '123']], (node) => (node === '3' ? 'info' : 'ok'));
  t.match(checkCoreLiveness(mostly), { valid: true, counts: { served: 100 } });
  const poor = never.map((op) => (op.type === 'fail' ? { ...op, error: 'insufficient' } : op));
  t.match(checkCoreLiveness(poor), { valid: true, counts: { served: 150 } }, 'what the state does not allow is served');
  const hardly = history([[0, '123']], (node) => (node === '3' ? 'ok' : 'info'));
  t.match(checkCoreLiveness(hardly), { valid: false });
});
