import t from 'tap';
import { Events } from '../../checker/history/events.ts';
import type { History, Op } from '../../checker/history/op.ts';
import { parseHistory } from '../../checker/history/parse.ts';
import { checkModels } from './check-models.ts';
import { exportFormats } from './export-history.ts';

const bytes = (lines: Iterable<string>) => new TextEncoder().encode(`${[...lines].join('\n')}\n`);

async function verdicts(history: History, name: string, format: string, nameThere = name) {
  const own = await checkModels.get(name)!.check(Events.of(history), {});
  const exported = parseHistory(bytes(exportFormats.get(format)!(history)));
  const model = checkModels.get(nameThere)!;
  const back = await model.check(exported.events, { ...model.defaults?.(exported.format) });
  return { own, back, exported };
}

function ops(
  ...list: readonly (readonly [
    process: Op['process'],
    type: Op['type'],
    f: string,
    key?: unknown,
    value?: unknown,
    error?: string,
  ])[]
): History {
  return list.map(([process, type, f, key, value, error], index) => ({
    index,
    time: index * 1000,
    process,
    type,
    f,
    ...(key !== undefined && { key: key as string }),
    ...(value !== undefined && { value: value as number }),
    ...(error !== undefined && { error }),
  }));
}

const register = (stale: boolean): History =>
  ops(
    ['nemesis', 'info', 'kill-start', undefined, { id: 1, nodes: ['1'] }],
    [0, 'invoke', 'write', 'r1', 1],
    [1, 'invoke', 'read', 'r1', null],
    [0, 'ok', 'write', 'r1', 1],
    [1, 'ok', 'read', 'r1', null],
    [2, 'invoke', 'write', 'r2', 7],
    [2, 'info', 'write', 'r2', 7, 'timeout'],
    [0, 'invoke', 'read', 'r2', null],
    [0, 'fail', 'read', 'r2', null, 'no-leader'],
    [1, 'invoke', 'write', 'r1', 2],
    [1, 'fail', 'write', 'r1', 2, 'connection-refused'],
    [1, 'invoke', 'read', 'r1', null],
    [1, 'ok', 'read', 'r1', stale ? null : 1],
  );
const cas = (observed: number): History =>
  ops(
    [0, 'invoke', 'write', 'r1', 1],
    [0, 'ok', 'write', 'r1', 1],
    [0, 'invoke', 'cas', 'r1', [1, 2]],
    [0, 'ok', 'cas', 'r1', [1, 2]],
    [1, 'invoke', 'cas', 'r1', [observed, 3]],
    [1, 'fail', 'cas', 'r1', [observed, 3], 'cas-mismatch'],
  );
const append = (skewed: boolean): History =>
  ops(
    [
      0,
      'invoke',
      'txn',
      undefined,
      [
        ['r', 'x', null],
        ['append', 'y', 1],
      ],
    ],
    [
      1,
      'invoke',
      'txn',
      undefined,
      [
        ['r', 'y', null],
        ['append', 'x', 1],
      ],
    ],
    [
      0,
      'ok',
      'txn',
      undefined,
      [
        ['r', 'x', skewed ? [] : [1]],
        ['append', 'y', 1],
      ],
    ],
    [
      1,
      'ok',
      'txn',
      undefined,
      [
        ['r', 'y', []],
        ['append', 'x', 1],
      ],
    ],
    [
      0,
      'invoke',
      'txn',
      undefined,
      [
        ['r', 'x', null],
        ['r', 'y', null],
      ],
    ],
    [
      0,
      'ok',
      'txn',
      undefined,
      [
        ['r', 'x', [1]],
        ['r', 'y', [1]],
      ],
    ],
  );
const bank = (total: number): History =>
  ops(
    [0, 'invoke', 'transfer', undefined, { from: '0', to: '1', amount: 5 }],
    [0, 'ok', 'transfer', undefined, { from: '0', to: '1', amount: 5 }],
    [0, 'invoke', 'read', undefined, null],
    [0, 'ok', 'read', undefined, { 0: 5, 1: 15 }],
    [0, 'invoke', 'read', undefined, null],
    [0, 'ok', 'read', undefined, { 0: 5, 1: total - 5 }],
  );

t.test('what was exported is judged as what it was exported from', async (t) => {
  const table: readonly (readonly [string, History, string, string, boolean])[] = [
    ['a register', register(false), 'cas-register', 'edn', true],
    ['a stale register', register(true), 'cas-register', 'edn', false],
    ['a cas that found another value', cas(1), 'cas-register', 'edn', true],
    ['a cas that failed for no reason', cas(2), 'cas-register', 'edn', false],
    ['lists', append(false), 'list-append', 'edn', true],
    ['write skew', append(true), 'list-append', 'edn', false],
    ['a bank', bank(20), 'bank', 'edn', true],
    ['money that vanished', bank(19), 'bank', 'edn', false],
  ];
  for (const [name, history, model, format, valid] of table) {
    const { own, back, exported } = await verdicts(history, model, format);
    t.equal(own.valid, valid, name);
    t.equal(exported.format, format, `${name}: recognised`);
    t.equal(back.valid, own.valid, `${name}: the same verdict`);
    t.same(
      back.anomalies.map(({ kind }) => kind),
      own.anomalies.map(({ kind }) => kind),
      `${name}: the same anomalies`,
    );
  }
});

t.test("Porcupine's kv format says registers and lists of text", async (t) => {
  for (const stale of [false, true]) {
    const { own, back, exported } = await verdicts(register(stale), 'cas-register', 'porcupine', 'kv');
    t.equal(exported.format, 'porcupine');
    t.equal(back.valid, own.valid, stale ? 'a stale read' : 'in order');
    t.equal(own.valid, !stale);
  }
  t.same([...exportFormats.get('porcupine')!(register(false))].slice(0, 4), [
    '{:process 0, :type :invoke, :f :put, :key "r1", :value "1"}',
    '{:process 1, :type :invoke, :f :get, :key "r1", :value nil}',
    '{:process 0, :type :ok, :f :put, :key "r1", :value "1"}',
    '{:process 1, :type :ok, :f :get, :key "r1", :value ""}',
  ]);
  t.throws(() => [...exportFormats.get('porcupine')!(cas(1))], /knows get, put and append: this history has cas/);
  const quote = ops([0, 'invoke', 'write', 'r', '"']);
  t.throws(() => [...exportFormats.get('porcupine')!(quote)], /cannot say/);
});
