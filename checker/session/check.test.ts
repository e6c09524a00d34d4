import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import t from 'tap';
import type { Op, OpType, Value } from '../history/op.ts';
import { checkSession } from './check.ts';

type Line = readonly [process: number, f: string, key: string, value: Value, type?: OpType];

/** Operations one after the other. */
const historyOf = (lines: readonly Line[]): Op[] =>
  lines.flatMap(([process, f, key, value, type = 'ok'], at): Op[] => [
    { index: 2 * at, time: 0, process, type: 'invoke', f, key, value: f === 'read' ? null : value },
    { index: 2 * at + 1, time: 0, process, type, f, key, value },
  ]);

const kinds = (...lines: Line[]): string[] => checkSession(historyOf(lines)).anomalies.map(({ kind }) => kind);

t.test('each guarantee', async (t) => {
  t.same(kinds([0, 'write', 'x', 1], [0, 'read', 'x', 1], [1, 'read', 'x', null]), [], 'another session may be behind');
  t.same(kinds([0, 'write', 'x', 1], [0, 'read', 'x', null]), ['read-your-writes']);
  t.same(kinds([0, 'write', 'x', 1], [1, 'read', 'x', 1], [1, 'read', 'x', null]), ['monotonic-reads']);
  t.same(
    kinds([0, 'write', 'x', 1], [1, 'write', 'x', 2], [2, 'read', 'x', 1], [2, 'read', 'x', 2], [2, 'read', 'x', 1]),
    ['monotonic-reads'],
    'back and forth',
  );
  t.same(
    kinds([0, 'write', 'x', 1], [0, 'write', 'x', 2], [1, 'read', 'x', 2], [1, 'read', 'x', 1]),
    ['monotonic-reads+monotonic-writes'],
    'either the writes or the reads are the wrong way round',
  );
  t.same(
    kinds([0, 'write', 'x', 1], [0, 'write', 'y', 2], [1, 'read', 'y', 2], [1, 'read', 'x', null]),
    ['monotonic-reads+monotonic-writes'],
    'over several keys',
  );
  t.same(
    kinds([0, 'write', 'x', 1], [1, 'read', 'x', 1], [1, 'write', 'y', 2], [2, 'read', 'y', 2], [2, 'read', 'x', null]),
    ['monotonic-reads+writes-follow-reads'],
  );
  t.same(kinds([0, 'write', 'x', 1], [1, 'read', 'x', 1], [1, 'write', 'x', 2], [1, 'read', 'x', 1]), [
    'read-your-writes+writes-follow-reads',
  ]);
});

t.test('a violation is told step by step', async (t) => {
  const [anomaly] = checkSession(
    historyOf([
      [0, 'write', 'x', 1],
      [1, 'read', 'x', 1],
      [1, 'read', 'x', null],
    ]),
  ).anomalies;
  t.match(anomaly, {
    message:
      'operation 5 read null, the initial value, and must have seen a write: operation 1 wrote 1, operation 3 read 1, then operation 5 in the same session (monotonic-reads)',
    key: 'x',
    ops: [1, 3, 5],
    evidence: {
      guarantees: ['monotonic-reads'],
      ways: [
        [
          { from: 1, to: 3, by: 'reads-from' },
          { from: 3, to: 5, by: 'monotonic-reads' },
        ],
      ],
    },
  });
});

t.test('outcomes, cas, and what nobody wrote', async (t) => {
  t.same(kinds([0, 'write', 'x', 1, 'info'], [1, 'read', 'x', 1]), [], 'a write of unknown outcome may be seen');
  t.same(kinds([0, 'write', 'x', 1, 'fail'], [1, 'read', 'x', 1]), ['garbage-read']);
  t.same(kinds([0, 'write', 'x', 1, 'fail'], [0, 'read', 'x', null]), [], 'one that failed need not be seen');
  t.same(kinds([0, 'read', 'x', 1], [1, 'write', 'x', 1]), ['garbage-read'], 'it was written only later');
  t.same(
    kinds([0, 'write', 'x', 1], [1, 'cas', 'x', [1, 2]], [2, 'read', 'x', 2], [2, 'read', 'x', 1]),
    ['monotonic-reads+writes-follow-reads'],
    'a cas reads and writes',
  );
  t.equal(checkSession(historyOf([[0, 'read', 'x', 7]]), { initial: 7 }).valid, true);
  t.equal(checkSession([]).valid, 'unknown');
  t.equal(checkSession(historyOf([[0, 'write', 'x', 1]])).valid, 'unknown');
  t.throws(
    () =>
      checkSession(
        historyOf([
          [0, 'write', 'x', 1],
          [1, 'write', 'x', 1],
        ]),
      ),
    /values must be unique/,
  );
});

interface Access {
  readonly process: number;
  readonly isRead: boolean;
  readonly key: string;
  readonly value: Value;
}

/** Whether the writes of every key have an order in which no read shows less than it must have seen. */
function holds(all: readonly Access[], guarantees: readonly string[]): boolean {
  const precedes = all.map((a, i) =>
    all.map((b, j) => {
      if (!a.isRead && b.isRead && a.key === b.key && a.value === b.value) return true;
      if (a.process !== b.process || i >= j) return false;
      const by = b.isRead
        ? a.isRead
          ? 'monotonic-reads'
          : 'read-your-writes'
        : a.isRead
          ? 'writes-follow-reads'
          : 'monotonic-writes';
      return guarantees.includes(by);
    }),
  );
  for (const k of all.keys()) {
    for (const i of all.keys()) for (const j of all.keys()) precedes[i]![j] ||= precedes[i]![k]! && precedes[k]![j]!;
  }
  const permutations = (list: readonly number[]): number[][] =>
    list.length === 0
      ? [[]]
      : list.flatMap((one, at) => permutations(list.toSpliced(at, 1)).map((rest) => [one, ...rest]));
  return [...new Set(all.map(({ key }) => key))].every((key) => {
    const writes = [...all.keys()].filter((i) => !all[i]!.isRead && all[i]!.key === key);
    return permutations(writes).some((order) =>
      all.every((access, i) => {
        if (access.key !== key) return true;
        const place = order.findIndex((w) => all[w]!.value === access.value);
        return order.every((w, at) => !precedes[w]![i] || at <= place);
      }),
    );
  });
}

t.test('agrees with a search through all orders of writes', (t) => {
  const RUNS = Number(process.env.SPLITBRAIN_FUZZ ?? 2000);
  let invalid = 0;
  const met = new Set<string>();
  for (let seed = 0; seed < RUNS; seed++) {
    const generator = xoroshiro128plus(seed);
    const below = (n: number): number => uniformInt(generator, 0, n - 1);
    const all: Access[] = [];
    for (let left = 3 + below(7), next = 1; left > 0; left--) {
      const [process, key] = [below(3), ['x', 'y'][below(2)]!];
      if (below(2) === 0) all.push({ process, isRead: false, key, value: next++ });
      else {
        const values = all.flatMap((other) => (!other.isRead && other.key === key ? [other.value] : []));
        all.push({ process, isRead: true, key, value: [...values, null][below(values.length + 1)]! });
      }
    }
    if (!all.some(({ isRead }) => isRead)) continue;
    const section = checkSession(
      historyOf(all.map(({ process, isRead, key, value }) => [process, isRead ? 'read' : 'write', key, value])),
    );
    const four = ['read-your-writes', 'monotonic-reads', 'monotonic-writes', 'writes-follow-reads'];
    if (section.valid !== holds(all, four)) {
      t.fail(`seed ${seed}: ${section.summary}\n${JSON.stringify(all)}`);
      break;
    }
    if (section.valid === false) invalid++;
    for (const { kind } of section.anomalies) {
      met.add(kind);
      if (holds(all, kind.split('+'))) t.fail(`seed ${seed}: ${kind} can hold\n${JSON.stringify(all)}`);
    }
  }
  t.ok(invalid > RUNS / 20 && invalid < RUNS * 0.95, `${invalid} of ${RUNS} are invalid`);
  t.ok(met.size >= 6, [...met].join(', '));
  t.end();
});
