import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { parseHistory } from '../history/parse.ts';
import type { Section } from '../verdict.ts';
import { checkBank } from './bank.ts';
import { checkTxn, type TxnModel, type TxnOptions } from './check.ts';
import { verifyAnomaly } from './verify.ts';
import { verifySerialOrder } from './verify-order.ts';

const shared = process.env.SPLITBRAIN_SHARED ?? join(import.meta.dirname, '../../../../shared');
const casesFile = join(shared, 'histories/elle/cases.jsonl');

interface ElleCase {
  readonly checker: TxnModel;
  readonly test: string;
  readonly testing: string;
  readonly history: readonly Op[];
  readonly opts: { readonly [name: string]: Value };
  readonly 'valid?': boolean | 'unknown';
  readonly 'anomaly-types': readonly string[] | null;
  readonly not: readonly string[] | null;
  readonly 'also-not': readonly string[] | null;
}

/** What ours finds beyond Elle's answer, by the number of the case; docs/elle-differences.md argues each. */
const FOUND_MORE: { readonly [index: number]: readonly string[] } = {
  0: ['G-single-item-realtime'],
  7: ['G-single-item-realtime'],
  76: ['garbage-read'],
  79: ['G-single-realtime'],
  80: ['G-single-realtime'],
};

/**
 * Serializable for Elle, and for us, as long as nothing is assumed of the order of a register's versions; but no order
 * of the transactions explains what they read.
 */
const WITHOUT_ORDER = new Set([50, 73]);

function optionsOf({ checker, opts }: ElleCase): TxnOptions {
  const list = (name: string): readonly string[] => (opts[name] ?? []) as readonly string[];
  return {
    model: checker,
    ...('consistency-models' in opts ? { consistencyModels: list('consistency-models') } : {}),
    ...('anomalies' in opts ? { anomalies: list('anomalies') } : {}),
    linearizableKeys: opts['linearizable-keys?'] === true,
    sequentialKeys: opts['sequential-keys?'] === true,
    wfrKeys: opts['wfr-keys?'] === true,
    ...('transaction-order' in opts ? { transactionOrder: opts['transaction-order'] as { [op: number]: number } } : {}),
  };
}

t.test('agrees with Elle on the histories of its own tests', (t) => {
  if (!existsSync(casesFile)) {
    t.comment(`skipped: there is no ${casesFile}`);
    t.end();
    return;
  }
  const cases = readFileSync(casesFile, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ElleCase);
  t.equal(cases.length, 88);
  for (const [index, elle] of cases.entries()) {
    const history = elle.history.map((op, at) => ({ ...op, index: at }));
    const { valid, details, anomalies } = checkTxn(history, { ...optionsOf(elle), certificate: true });
    if (details.order !== undefined) {
      const kept = details.consistencyModels.includes('strict-serializable') ? 'realtime' : 'none';
      t.equal(verifySerialOrder(history, details.order, kept), undefined, `${index}: the order explains it`);
    }
    if (valid === true && details.consistencyModels.some((model) => /serializable/.test(model))) {
      t.equal(details.order === undefined, WITHOUT_ORDER.has(index), `${index}: certified`);
    }
    for (const anomaly of anomalies) {
      // These only say that there is something to be named, or nothing to be seen.
      if (/-cycle-exists$|^empty-transaction-graph$/.test(anomaly.kind)) continue;
      // Versions ordered by an order that was given cannot be checked against the history.
      if ('transaction-order' in elle.opts) continue;
      t.equal(verifyAnomaly(history, anomaly), undefined, `${index}: the evidence for ${anomaly.kind} holds`);
    }
    const got = { valid, anomalyTypes: details.anomalyTypes, not: details.not, alsoNot: details.alsoNot };
    const expected = {
      valid: elle['valid?'],
      anomalyTypes: [...(elle['anomaly-types'] ?? []), ...(FOUND_MORE[index] ?? [])].sort(),
      not: elle.not ?? [],
      alsoNot: elle['also-not'] ?? [],
    };
    const name = [elle.test, elle.testing].filter(Boolean).join(': ');
    const say = (answer: { valid: unknown; anomalyTypes: readonly string[] }): string =>
      [String(answer.valid), ...answer.anomalyTypes].join(' ');
    t.strictSame(got, expected, `${index} ${elle.checker} ${name} | expected ${say(expected)} | got ${say(got)}`);
  }
  t.end();
});

t.test('agrees with the verdicts on the shared files', (t) => {
  const files: [file: string, valid: boolean, check: (history: Op[]) => Section][] = [
    ['elle-cli/elle/paper-example.edn', false, (history) => checkTxn(history, { model: 'list-append' })],
    ['elle-cli/elle/paper-example.json', false, (history) => checkTxn(history, { model: 'list-append' })],
    [
      'elle-cli/elle/rw-register.edn',
      true,
      (history) => checkTxn(history, { model: 'rw-register', certificate: true }),
    ],
    [
      'elle/si-without-g-single.edn',
      false,
      (history) =>
        checkTxn(history, { model: 'list-append', consistencyModels: ['snapshot-isolation', 'repeatable-read'] }),
    ],
    ['elle-cli/jepsen/bank.edn', true, (history) => checkBank(history)],
    ['elle-cli/jepsen/bank.json', true, (history) => checkBank(history)],
    ['elle-cli/jepsen/bank-tidb.edn', false, (history) => checkBank(history)],
  ];
  for (const [file, expected, check] of files) {
    const path = join(shared, 'histories', file);
    if (!existsSync(path)) {
      t.comment(`skipped: there is no ${path}`);
      continue;
    }
    const history = parseHistory(readFileSync(path)).events.ops();
    const { valid, summary, anomalies, details } = check(history);
    if (file.includes('bank')) t.comment(`${file}: a sum is its own certificate`);
    for (const anomaly of file.includes('bank') ? [] : anomalies) {
      t.equal(verifyAnomaly(history, anomaly), undefined, `${file}: the evidence for ${anomaly.kind} holds`);
    }
    // It reads what nobody wrote after a write: valid as in Elle, but not in an order that keeps real time.
    if (file.endsWith('rw-register.edn')) t.equal(details?.order, undefined, `${file}: no order`);
    t.equal(valid, expected, `${file} | expected ${expected} | got ${valid} | ${summary}`);
  }
  t.end();
});

/** A history from lines such as `0 ok [["r","x",1]]`: process, type, value. */
function history(...lines: string[]): Op[] {
  return lines.map((line, index) => {
    const [, process, type, value] = /^(\d+) (\w+) (.*)$/.exec(line)!;
    return {
      index,
      time: index,
      process: Number(process),
      type: type as Op['type'],
      f: 'txn',
      value: JSON.parse(value!) as Value,
    };
  });
}

t.test('unknown outcomes', (t) => {
  const appended = history(
    '0 invoke [["append","x",1]]',
    '0 info [["append","x",1]]',
    '1 invoke [["append","x",2]]',
    '1 ok [["append","x",2]]',
    '2 invoke [["r","x",null]]',
    '2 ok [["r","x",[2,1]]]',
  );
  t.equal(checkTxn(appended, { model: 'list-append' }).valid, true, 'an uncertain append can come late');
  const overwritten = history(
    '0 invoke [["w","x",1],["w","y",1]]',
    '1 invoke [["r","y",null]]',
    '1 ok [["r","y",1]]',
    '1 invoke [["r","x",null]]',
    '1 ok [["r","x",null]]',
  );
  const section = checkTxn(overwritten, { model: 'rw-register' });
  t.strictSame(section.details.anomalyTypes, ['G-single-item-realtime'], 'a read proves that an open write committed');
  t.match(section.anomalies[0]?.message, /T3 read T2's write of 1 to key y/);
  for (const anomaly of section.anomalies) t.equal(verifyAnomaly(overwritten, anomaly), undefined);
  const never = history('0 invoke [["append","x",1]]', '1 invoke [["r","x",null]]', '1 ok [["r","x",null]]');
  t.equal(checkTxn(never, { model: 'list-append' }).valid, true, 'one that nobody saw says nothing');
  t.end();
});

t.test('garbage reads', (t) => {
  const list = history('0 invoke [["r","x",null]]', '0 ok [["r","x",[7]]]');
  t.strictSame(checkTxn(list, { model: 'list-append' }).details.anomalyTypes, [
    'empty-transaction-graph',
    'garbage-read',
  ]);
  const register = history(
    '0 invoke [["r","x",null],["r","y",null]]',
    '0 ok [["r","x",7],["r","y",null]]',
    '0 invoke [["w","x",1]]',
    '0 ok [["w","x",1]]',
  );
  const garbage = (options: Partial<TxnOptions>): boolean =>
    checkTxn(register, { model: 'rw-register', ...options }).details.anomalyTypes.includes('garbage-read');
  t.ok(garbage({}), 'another key was seen empty, so that registers start empty');
  t.ok(garbage({ initial: null }), 'registers are known to start empty');
  t.ok(garbage({ initial: 7 }), 'registers are known to start with something else than null');
  const filled = history(
    '0 invoke [["r","x",null]]',
    '0 ok [["r","x",7]]',
    '0 invoke [["w","x",1]]',
    '0 ok [["w","x",1]]',
  );
  t.match(
    checkTxn(filled, { model: 'rw-register' }).summary,
    /; 7 of key x, which nobody wrote, is taken to have been there before/,
    'what is taken for granted is said',
  );
  t.equal(checkTxn(filled, { model: 'rw-register' }).valid, true, 'registers may have been filled before');
  t.end();
});

t.test('what one transaction appended to a key stands there in its order', (t) => {
  const kinds = (list: string): readonly string[] =>
    checkTxn(
      history(
        '0 invoke [["append","x",1],["append","x",2]]',
        '0 ok [["append","x",1],["append","x",2]]',
        '1 invoke [["r","x",null]]',
        `1 ok [["r","x",${list}]]`,
      ),
      { model: 'list-append' },
    ).details.anomalyTypes;
  t.strictSame(kinds('[1,2]'), []);
  t.ok(kinds('[2,1]').includes('cyclic-versions'), 'the other way round');
  t.ok(kinds('[2]').includes('cyclic-versions'), 'the first one is lost');
  t.end();
});

t.test('the longest way back of a cycle with one anti-dependency is found, and is short', (t) => {
  // T0 misses the write of T1, which T2 read, whose write T3 read … up to T0, which read the last of them.
  const lines = ['0 ok [["r","x",null],["r","k6",[1]]]', '1 ok [["append","x",1],["append","k1",1]]'];
  for (let i = 1; i < 6; i++) lines.push(`${i + 1} ok [["r","k${i}",[1]],["append","k${i + 1}",1]]`);
  const section = checkTxn(history(...lines), { model: 'list-append', consistencyModels: ['serializable'] });
  t.strictSame(section.details.anomalyTypes, ['G-single-item']);
  t.equal(section.anomalies[0]?.ops.length, 7);
  t.equal(verifyAnomaly(history(...lines), section.anomalies[0]!), undefined);
  t.end();
});

t.test('evidence that was tampered with does not hold', (t) => {
  const lines = history(
    '0 invoke [["append","x",1],["append","y",1]]',
    '0 ok [["append","x",1],["append","y",1]]',
    '1 invoke [["r","x",null],["r","y",null]]',
    '1 ok [["r","x",[1]],["r","y",null]]',
  );
  const [anomaly] = checkTxn(lines, { model: 'list-append' }).anomalies;
  t.equal(verifyAnomaly(lines, anomaly!), undefined);
  t.match(verifyAnomaly(lines, { ...anomaly!, kind: 'G0' }), /the cycle is a G-single-item/);
  const edges = anomaly!.evidence.edges as readonly { readonly [name: string]: Value }[];
  const changed = (change: object): string | undefined =>
    verifyAnomaly(lines, {
      ...anomaly!,
      evidence: { edges: edges.map((edge, i) => (i === 0 ? { ...edge, ...change } : edge)) },
    });
  t.match(changed({ key: 'z' }), /does not follow/);
  t.match(changed({ kind: 'ww' }), /does not follow/);
  t.match(changed({ to: edges[0]!.from! }), /does not lead to the next/);
  t.end();
});

t.test('updates are lost only where the whole list that was read is the same', (t) => {
  const kinds = (...lines: string[]): readonly string[] =>
    checkTxn(history(...lines), { model: 'list-append' }).details.anomalyTypes;
  const [one, other] = ['1 ok [["r","x",[2]],["append","x",3]]', '2 ok [["r","x",[1,2]],["append","x",4]]'];
  const writes = ['0 ok [["append","x",1]]', '0 ok [["append","x",2]]'];
  t.notOk(kinds(...writes, one, other).includes('lost-update'), 'its last element alone is not it');
  const again = '3 ok [["r","x",[2]],["append","x",5]]';
  t.ok(kinds(...writes, one, other, again).includes('lost-update'), 'also beside the longest list');
  t.end();
});

t.test('an anomaly without a cycle is checked again as well', (t) => {
  const shown = (model: TxnModel, ...lines: string[]): void => {
    const ops = history(...lines);
    const { anomalies } = checkTxn(ops, { model, linearizableKeys: true, consistencyModels: ['strict-serializable'] });
    const direct = anomalies.filter(
      ({ kind, evidence }) => kind !== 'empty-transaction-graph' && !('edges' in evidence),
    );
    t.ok(direct.length > 0);
    for (const anomaly of direct) {
      t.equal(verifyAnomaly(ops, anomaly), undefined, anomaly.message);
      // In a history in which nothing was done nothing shows it.
      const nothing = ops.map((op) => ({ ...op, value: [] }));
      t.match(verifyAnomaly(nothing, anomaly), /do not show/, `without it: ${anomaly.kind}`);
    }
  };
  shown('list-append', '0 fail [["append","x",1]]', '1 ok [["append","x",2]]', '2 ok [["r","x",[1,2]]]');
  shown('list-append', '0 ok [["append","x",1],["append","x",2]]', '1 ok [["r","x",[1]]]');
  shown('list-append', '0 ok [["r","x",[1]],["append","x",1]]', '1 ok [["r","x",[2,2]]]', '1 ok [["r","x",[3,1]]]');
  shown('list-append', '0 ok [["append","x",1],["r","x",[1,2]]]', '1 ok [["r","x",[1]],["r","x",[2]]]');
  shown('list-append', '0 ok [["r","x",[]],["append","x",1]]', '1 ok [["r","x",null],["append","x",2]]');
  shown('list-append', '0 ok [["append","x",1],["append","x",2]]', '1 ok [["r","x",[2,1]]]');
  shown('rw-register', '0 fail [["w","x",1]]', '1 ok [["r","x",1]]', '2 ok [["r","x",7]]', '2 ok [["r","y",null]]');
  shown('rw-register', '0 ok [["w","x",1],["w","x",2],["r","x",1]]', '1 ok [["r","x",1]]');
  shown('rw-register', '0 ok [["r","x",null],["w","x",1]]', '1 ok [["r","x",null],["w","x",2]]');
  const [w1, w2] = ['[["w","x",1]]', '[["w","x",2]]'];
  const [r1, r2] = ['[["r","x",1]]', '[["r","x",2]]'];
  const each = [w1, w2, r1, r2, r1].flatMap((value) => [`0 invoke ${value}`, `0 ok ${value}`]);
  shown('rw-register', ...each);
  const universe = { index: 0, time: 0, process: 0, type: 'ok', f: 'init', value: { x: 1 } } as const;
  const miss = [universe, ...history('0 ok []', '1 ok [["rp","true",{}],["r","x",1]]').slice(1)];
  const [anomaly] = checkTxn(miss, { model: 'closed-predicate' }).anomalies;
  t.match(anomaly, { kind: 'predicate-read-miss' });
  t.equal(verifyAnomaly(miss, anomaly!), undefined);
  t.match(verifyAnomaly(miss.slice(1), { ...anomaly!, ops: [0] }), /do not show/);
  t.match(verifyAnomaly(miss, { ...anomaly!, kind: 'other' }), /nothing is known of other/);
  t.end();
});

t.test('what cannot be judged is unknown, with a reason', (t) => {
  const reason = (...lines: string[]): string | undefined =>
    checkTxn(history(...lines), { model: 'list-append' }).reason;
  t.match(reason(), /no transaction that completed read anything/);
  t.match(reason('0 invoke [["append","x",1]]', '0 ok [["append","x",1]]'), /read anything/);
  t.match(reason('0 invoke 5', '0 ok 5'), /operation 1 is no transaction/);
  t.match(reason('0 ok [["w","x",1]]'), /must start with "append" or "r"/);
  t.match(
    reason('0 ok [["append","x",1]]', '0 ok [["append","x",1]]', '0 ok [["r","x",[1]]]'),
    /operations 0 and 1 both wrote 1 to key x/,
  );
  t.throws(() => checkTxn([], { model: 'list-append', consistencyModels: ['serialisable'] }), /no consistency model/);
  t.throws(() => checkTxn([], { model: 'list-append', anomalies: ['G3'] }), /no anomaly "G3"/);
  t.end();
});

t.test('a valid verdict has an order that explains it', (t) => {
  const ops = history(
    '0 invoke [["append","x",1]]',
    '1 invoke [["r","x",null]]',
    '1 ok [["r","x",[]]]',
    '0 ok [["append","x",1]]',
    '1 invoke [["r","x",null]]',
    '1 ok [["r","x",[1]]]',
    '2 invoke [["append","x",2]]',
  );
  const { order } = checkTxn(ops, { model: 'list-append', certificate: true }).details;
  t.strictSame(order, [2, 3, 5, 6]);
  t.equal(verifySerialOrder(ops, order!, 'realtime'), undefined);
  t.match(verifySerialOrder(ops, [3, 2, 5], 'none'), /operation 2 read \[\] where \[1\] had been appended/);
  t.match(verifySerialOrder(ops, [2, 3], 'none'), /operation 5 is not in the order/);
  t.match(verifySerialOrder(ops, [2, 3, 5, 5], 'none'), /twice/);
  const late = ops.toSpliced(5, 1, { ...ops[5]!, value: [['r', 'x', []]] });
  t.equal(verifySerialOrder(late, [2, 5, 3], 'none'), undefined);
  t.equal(verifySerialOrder(late, [2, 5, 3], 'process'), undefined);
  t.match(verifySerialOrder(late, [2, 5, 3], 'realtime'), /operation 3 completed before 4 began/);
  t.match(verifySerialOrder(late, [5, 2, 3], 'process'), /operation 2 comes too late in its process/);
  t.equal(checkTxn(late, { model: 'list-append', certificate: true }).details.order, undefined);
  t.end();
});

t.test('over registers as well, where one is found', (t) => {
  // Both wrote x while the other did; what was read later tells who came first.
  const lines = [
    '0 invoke [["w","x",1],["w","y",1]]',
    '1 invoke [["w","x",2]]',
    '0 ok [["w","x",1],["w","y",1]]',
    '1 ok [["w","x",2]]',
    '2 invoke [["r","x",null],["r","z",null]]',
    '2 ok [["r","x",1],["r","z",7]]',
    '3 invoke [["w","z",8]]',
    '4 invoke [["r","z",null]]',
    '4 ok [["r","z",8]]',
  ];
  const ops = history(...lines);
  const { order } = checkTxn(ops, { model: 'rw-register', certificate: true }).details;
  t.strictSame(order, [3, 2, 5, 6, 8], 'the write of unknown outcome that was read is in it');
  t.equal(verifySerialOrder(ops, order!, 'realtime'), undefined);
  t.match(verifySerialOrder(ops, [2, 3, 5, 6, 8], 'none'), /operation 5 read 1 where 2 had been written/);
  t.match(verifySerialOrder(ops, [3, 2, 6, 5, 8], 'none'), /operation 5 read 7 where 8 had been written/);
  // The second read y as it was before it was overwritten, but nothing is assumed of the order of versions.
  const odd = checkTxn(history('0 ok [["r","y",1],["w","x",1],["w","y",2]]', '0 ok [["r","x",1],["r","y",1]]'), {
    model: 'rw-register',
    consistencyModels: ['serializable'],
    certificate: true,
  });
  t.equal(odd.valid, true);
  t.equal(odd.details.order, undefined);
  t.match(odd.details.withoutOrder, /no order of the transactions that explains every read was found/);
  t.end();
});

t.test('every edge of a cycle has a reason in words', (t) => {
  const section = checkTxn(
    history(
      '0 ok [["append","x",1],["r","y",[1]]]',
      '1 ok [["append","x",2],["append","y",1]]',
      '2 ok [["r","x",[1,2]],["r","y",[1]]]',
    ),
    { model: 'list-append', consistencyModels: ['read-committed'] },
  );
  t.equal(
    section.anomalies[0]?.message,
    "T1 = operation 0, T2 = operation 1. T1 < T2, because T2 appended 2 to key x after T1 appended 1; T2 < T1, because T1 read T2's append of 1 to key y: a contradiction",
  );
  t.end();
});
