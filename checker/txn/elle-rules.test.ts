import t from 'tap';
import type { Op, Value } from '../history/op.ts';
import { checkTxn, type TxnModel, type TxnOptions } from './check.ts';
import { canonicalModel, prohibitedAnomalies, ruledOut } from './lattice.ts';
import { verifyAnomaly } from './verify.ts';

/**
 * A transaction in short: `ax1 ry12 wx3 rx_` is an append of 1 to x, a read of [1, 2] from y, a write of 3 to x, a read
 * of null from x. Without a process it is one of its own.
 */
function mops(text: string, model: TxnModel): Value[] {
  return text.split(' ').map((word): Value => {
    const [f, key, rest] = [word[0]!, word[1]!, word.slice(2)];
    const list = [...rest].filter((digit) => digit !== '_').map(Number);
    const read = model === 'list-append' ? list : (list[0] ?? null);
    return [f === 'a' ? 'append' : f, key, f === 'r' ? read : list[0]!];
  });
}

/**
 * A history from lines `> 0 ax1` (process 0 invokes), `< 0 ax1` (it completes), `! 0` (it fails), `? 0` (nobody knows);
 * or of transactions alone, each by a process of its own, all at the same time.
 */
function historyOf(lines: readonly string[], model: TxnModel): Op[] {
  const plans = new Map<number, Value>();
  const types = { '>': 'invoke', '<': 'ok', '!': 'fail', '?': 'info' } as const;
  const timed = lines.every((line) => line[0]! in types)
    ? lines
    : [
        ...lines.map((line, process) => `> ${process} ${line}`),
        ...lines.map((line, process) => `< ${process} ${line}`),
      ];
  return timed.map((line, index): Op => {
    const [sign, process, ...rest] = line.split(' ');
    const type = types[sign as keyof typeof types];
    const value = rest.length > 0 ? mops(rest.join(' '), model) : plans.get(Number(process))!;
    if (type === 'invoke') plans.set(Number(process), value);
    return { index, time: 0, process: Number(process), type, f: 'txn', value };
  });
}

type Case = readonly [
  what: string,
  lines: readonly string[],
  kinds: string,
  not: string,
  options?: Partial<TxnOptions>,
];

function check(t: Pick<typeof import('tap').t, 'strictSame' | 'equal'>, model: TxnModel, cases: readonly Case[]): void {
  for (const [what, lines, kinds, not, options] of cases) {
    const history = historyOf(lines, model);
    const { details, anomalies } = checkTxn(history, { model, ...options });
    const found = details.anomalyTypes.filter((kind) => kind !== 'empty-transaction-graph').join(' ');
    t.strictSame([found, details.not.join(' ')], [kinds, not], `${what}: ${lines.join(', ')}`);
    for (const anomaly of anomalies) {
      if (/-cycle-exists$|^empty-transaction-graph$/.test(anomaly.kind)) continue;
      // An order that was given is not in the history.
      if (options?.transactionOrder !== undefined) continue;
      t.equal(verifyAnomaly(history, anomaly), undefined, `${what}: the evidence for ${anomaly.kind}`);
    }
  }
}

t.test('list-append, kind by kind', async (t) => {
  check(t, 'list-append', [
    ['aborted read', ['> 0 ax1', '! 0', '> 1 rx1', '< 1 rx1'], 'G1a', 'read-committed'],
    ['intermediate read', ['ax1 ax2', 'rx1', 'rx12'], 'G-single-item G1b', 'read-committed'],
    ['a read of unknown outcome is no aborted one', ['> 0 ax1', '? 0', '> 1 rx1', '< 1 rx1'], '', ''],
    [
      'dirty update',
      ['> 0 ax1', '! 0', '> 1 ax2', '< 1 ax2', '> 2 rx12', '< 2 rx12'],
      'G1a dirty-update',
      'read-committed',
    ],
    ['duplicate', ['ax1', 'rx11'], 'duplicate-elements', 'read-uncommitted'],
    ['incompatible orders', ['ax1', 'ax2', 'rx12', 'rx21'], 'incompatible-order', 'read-committed'],
    ['internal, after an append', ['rx1 ax2 rx1', 'ax1'], 'internal', 'read-atomic'],
    ['write cycle', ['ax1 ay1', 'ax2 ay2', 'rx12', 'ry21'], 'G0', 'read-uncommitted'],
    ['information cycle', ['ax1 ry1', 'rx1 ay1'], 'G1c', 'read-committed'],
    ['one anti-dependency', ['rx_ ry1', 'ax1 ay1', 'rx1'], 'G-single-item', 'consistent-view repeatable-read'],
    ['write skew', ['rx_ ay1', 'ry_ ax1', 'rx1 ry1'], 'G2-item', 'repeatable-read'],
    ['long fork', ['ax1', 'ay1', 'rx1 ry_', 'rx_ ry1'], 'G-nonadjacent-item', 'repeatable-read snapshot-isolation'],
    ['lost update', ['rx_ ax1', 'rx_ ax2', 'rx12'], 'G-single-item lost-update', 'cursor-stability update-atomic'],
    [
      'an append that nobody read comes last',
      ['ax1', 'rx1', 'ax2 ry_', 'rx1 ay1', 'ry1'],
      'G2-item',
      'repeatable-read',
    ],
    [
      'stale in real time',
      ['> 0 ax1', '< 0', '> 1 rx_', '< 1', '> 2 rx1', '< 2'],
      'G-single-item-realtime',
      'strong-snapshot-isolation',
    ],
    [
      'the same for serializability',
      ['> 0 ax1', '< 0', '> 1 rx_', '< 1', '> 2 rx1', '< 2'],
      '',
      '',
      { consistencyModels: ['serializable'] },
    ],
    [
      'stale in its own session',
      ['> 0 ax1', '< 0', '> 0 rx_', '< 0', '> 2 rx1', '< 2'],
      'G-single-item-process',
      'strong-session-snapshot-isolation',
      { consistencyModels: ['strong-session-serializable'] },
    ],
    [
      'read backwards in a session',
      ['> 0 rx1', '< 0', '> 0 ax1', '< 0'],
      'G1c-process',
      'strong-session-read-committed',
      { consistencyModels: ['strong-session-read-committed'] },
    ],
    ['read before it was written', ['> 0 rx1', '< 0', '> 1 ax1', '< 1'], 'G1c-realtime', 'strong-read-committed'],
    [
      'written backwards',
      ['> 0 ax1', '< 0', '> 1 ax2', '< 1', '> 2 rx21', '< 2'],
      'G0-realtime',
      'strong-read-uncommitted',
    ],
    ['one of unknown outcome is seen and comes late', ['> 0 ax1', '? 0', '> 1 rx_', '< 1', '> 2 rx1', '< 2'], '', ''],
  ]);
});

t.test('rw-register, kind by kind', async (t) => {
  const [wfr, linearizable, sequential] = [{ wfrKeys: true }, { linearizableKeys: true }, { sequentialKeys: true }];
  check(t, 'rw-register', [
    ['aborted read', ['> 0 wx1', '! 0', '> 1 rx1', '< 1 rx1'], 'G1a', 'read-committed'],
    ['intermediate read', ['wx1 wx2', 'rx1'], 'G1b', 'read-committed'],
    ['internal', ['wx1 rx2', 'wx2'], 'internal', 'read-atomic'],
    ['information cycle', ['wx1 ry1', 'wy1 rx1'], 'G1c', 'read-committed'],
    ['null comes first', ['rx_ ry1', 'wx1 wy1'], 'G-single-item', 'consistent-view repeatable-read'],
    ['write skew on null', ['rx_ wy1', 'ry_ wx1'], 'G2-item', 'repeatable-read'],
    ['long fork', ['wx1', 'wy1', 'rx1 ry_', 'rx_ ry1'], 'G-nonadjacent-item', 'repeatable-read snapshot-isolation'],
    ['lost update', ['wx1', 'rx1 wx2', 'rx1 wx3'], 'lost-update', 'cursor-stability update-atomic'],
    [
      'the same with writes that follow reads',
      ['wx1', 'rx1 wx2', 'rx1 wx3'],
      'G2-item lost-update',
      'cursor-stability update-atomic',
      wfr,
    ],
    ['an order of versions is needed', ['wx1', 'rx1 wx2 wy1', 'rx1 ry1'], '', ''],
    [
      'it comes from a read and a write',
      ['wx1', 'rx1 wx2 wy1', 'rx1 ry1'],
      'G-single-item',
      'consistent-view repeatable-read',
      wfr,
    ],
    [
      'or from real time of the key',
      ['> 0 wx1', '< 0', '> 0 wx2', '< 0', '> 1 rx2', '< 1', '> 2 rx1', '< 2'],
      'cyclic-versions',
      'read-uncommitted',
      linearizable,
    ],
    [
      'or from its sessions',
      ['> 0 wx1', '< 0', '> 0 wx2', '< 0', '> 1 rx2', '< 1', '> 1 rx1', '< 1'],
      'cyclic-versions',
      'read-uncommitted',
      sequential,
    ],
    [
      'a stale null',
      ['> 0 wx1', '< 0', '> 1 rx_', '< 1'],
      'G-single-item-realtime cyclic-versions',
      'read-uncommitted',
      linearizable,
    ],
    [
      'a stale null of who then writes is no order of versions',
      ['> 0 wx1', '< 0', '> 1 rx_ wx2', '< 1'],
      'G-single-item',
      'consistent-view repeatable-read',
      linearizable,
    ],
    [
      'an initial value that is given',
      ['rx0 ry1', 'wx1 wy1'],
      'G-single-item',
      'consistent-view repeatable-read',
      { initial: 0 },
    ],
    [
      'a write of unknown outcome that was read',
      ['> 0 wx1 wy1', '? 0', '> 1 ry1', '< 1', '> 1 rx_', '< 1'],
      'G-single-item-realtime',
      'strong-snapshot-isolation',
    ],
    [
      'given order',
      ['wx1', 'wx2 wy1', 'rx1 ry1'],
      'G-single-item',
      'consistent-view repeatable-read',
      { transactionOrder: { 3: 1, 4: 2 } },
    ],
  ]);
});

t.test('what is forbidden, and what falls', async (t) => {
  const falls = (...anomalies: string[]) => {
    const { not, alsoNot } = ruledOut(anomalies);
    return [not.join(' '), alsoNot.join(' ')];
  };
  const snapshots = 'serializable snapshot-isolation';
  const strong =
    'strong-serializable strong-session-serializable strong-session-snapshot-isolation strong-snapshot-isolation';
  t.same(falls(), ['', '']);
  t.same(falls('G-single'), ['consistent-view', `forward-consistent-view ${snapshots} ${strong} update-serializable`]);
  t.same(falls('G-single-realtime'), ['strong-snapshot-isolation', 'strong-serializable']);
  t.same(falls('internal'), [
    'read-atomic',
    `causal-cerone parallel-snapshot-isolation prefix ${snapshots} ${strong} update-atomic`,
  ]);
  t.same(falls('internal', 'G2'), falls('internal'), 'what falls with read-atomic has fallen');
  t.same(falls('G2-process'), ['strong-session-serializable', 'strong-serializable']);
  t.same(falls('G2-realtime'), ['strong-serializable', '']);
  t.same(falls('lost-update')[0], 'cursor-stability update-atomic');
  t.same(falls('G1a')[0], 'read-committed');
  t.same(falls('cyclic-versions')[0], 'read-uncommitted');
  t.same([...prohibitedAnomalies(['read-committed'], [])].sort(), [
    'G0',
    'G1',
    'G1a',
    'G1b',
    'G1c',
    'PL-1-cycle-exists',
    'PL-2-cycle-exists',
    'cyclic-versions',
    'dirty-update',
    'duplicate-elements',
    'future-read',
    'garbage-read',
    'incompatible-order',
  ]);
  const aliases = {
    'strict-serializable': 'PL-SS strong-serializable',
    serializable: 'PL-3 conflict-serializable',
    'snapshot-isolation': 'PL-SI',
    'repeatable-read': 'PL-2.99',
    'consistent-view': 'PL-2+',
    'monotonic-view': 'PL-2L',
    'cursor-stability': 'PL-CS',
    'forward-consistent-view': 'PL-FCV',
    'monotonic-snapshot-read': 'PL-MSR',
    'update-serializable': 'PL-3U',
    'read-committed': 'PL-2',
    'read-uncommitted': 'PL-1',
    'strong-read-committed': 'strong-PL-2',
    'strong-session-read-uncommitted': 'strong-session-PL-1',
  };
  for (const [model, others] of Object.entries(aliases)) {
    for (const other of others.split(' ')) t.equal(canonicalModel(other), canonicalModel(model), other);
  }
  for (const name of [
    '1SR',
    'PRAM',
    'causal',
    'linearizable',
    'sequential',
    'view-serializable',
    'session-serializable',
  ]) {
    t.equal(canonicalModel(name), name);
  }
});

t.test('kinds of cycle that none of these histories has, in time and over predicates', (t) => {
  const shown = (kind: string, history: Op[], model: TxnModel): void => {
    const consistencyModels = [kind.endsWith('-process') ? 'strong-session-serializable' : 'strict-serializable'];
    const { anomalies } = checkTxn(history, { model, consistencyModels });
    const found = anomalies.find((anomaly) => anomaly.kind === kind);
    t.ok(found, `${kind}, not only ${anomalies.map((anomaly) => anomaly.kind)}`);
    if (found !== undefined) t.equal(verifyAnomaly(history, found), undefined, `the evidence for ${kind}`);
  };
  // What is last before an edge in time, and what is first after it, are processes 3 and 1; or both 3.
  const inTime = (kind: string, lines: readonly string[]): void => {
    shown(`${kind}-realtime`, historyOf(lines, 'list-append'), 'list-append');
    const processes = lines.map((line) => line.replace(/^(.) 1 /, '$1 3 '));
    shown(`${kind}-process`, historyOf(processes, 'list-append'), 'list-append');
  };
  inTime('G0', ['> 3 ax1', '< 3 ax1', '> 1 ax2', '< 1 ax2', '> 2 rx21', '< 2 rx21']);
  inTime('G2-item', [
    '> 2 ax1 ry_',
    '> 3 ay1',
    '< 3 ay1',
    '> 1 rx_',
    '< 1 rx_',
    '< 2 ax1 ry_',
    '> 4 rx1 ry1',
    '< 4 rx1 ry1',
  ]);
  inTime('G-nonadjacent-item', [
    '> 2 ax1',
    '> 4 rx1 ry_',
    '> 3 ay1',
    '< 3 ay1',
    '> 1 rx_',
    '< 1 rx_',
    '< 4 rx1 ry_',
    '< 2 ax1',
  ]);
  const predicates = (...lines: readonly (readonly [process: number, value: Value])[]): Op[] => {
    const open = new Set<number>();
    return lines.map(([process, value], index) => {
      const type = open.has(process) ? 'ok' : 'invoke';
      if (type === 'ok') open.delete(process);
      else open.add(process);
      return { index, time: 0, process, type, f: 'txn', value };
    });
  };
  const [x, y]: readonly Value[] = [
    ['w', 'x', 1],
    ['w', 'y', 2],
  ];
  const [noX, noY]: readonly Value[] = [
    ['rp', ['=', 1], {}],
    ['rp', ['=', 2], {}],
  ];
  for (const [suffix, later] of [
    ['-realtime', 1],
    ['-process', 3],
  ] as const) {
    shown(`G-single${suffix}`, predicates([3, [x!]], [3, [x!]], [later, [noX!]], [later, [noX!]]), 'closed-predicate');
    const two: Value = [x!, noY!];
    shown(
      `G2${suffix}`,
      predicates([2, two], [3, [y!]], [3, [y!]], [later, [noX!]], [later, [noX!]], [2, two]),
      'closed-predicate',
    );
    const saw: Value = [['r', 'x', 1], noY!];
    shown(
      `G-nonadjacent${suffix}`,
      predicates([2, [x!]], [4, saw], [3, [y!]], [3, [y!]], [later, [noX!]], [later, [noX!]], [4, saw], [2, [x!]]),
      'closed-predicate',
    );
  }
  const [onlyX, onlyY]: readonly Value[] = [[['rp', 'true', { x: 1 }]], [['rp', 'true', { y: 2 }]]];
  const fork = [
    [1, [x!]],
    [2, [y!]],
    [3, onlyX!],
    [4, onlyY!],
  ] as const;
  shown('G-nonadjacent', predicates(...fork, ...fork), 'closed-predicate');
  t.end();
});
