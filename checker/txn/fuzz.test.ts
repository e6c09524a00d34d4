import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import t from 'tap';
import { Events } from '../history/events.ts';
import { encodeOp } from '../history/ndjson.ts';
import type { Op, OpType, Value } from '../history/op.ts';
import { parseHistory } from '../history/parse.ts';
import { checkTxn, type TxnModel, type TxnOptions, type TxnSection } from './check.ts';
import { impliedAnomalies } from './lattice.ts';
import { verifyAnomaly } from './verify.ts';
import { verifySerialOrder } from './verify-order.ts';

/** How many histories each property looks at; a longer run sets SPLITBRAIN_FUZZ. */
const RUNS = Number(process.env.SPLITBRAIN_FUZZ ?? 2000);

type Mop = readonly [f: string, key: string, value: Value];

/** A small history with some trouble in it, from a seed. */
function smallHistory(seed: number, model: 'list-append' | 'rw-register'): Op[] {
  const generator = xoroshiro128plus(seed);
  const below = (n: number): number => uniformInt(generator, 0, n - 1);
  const chance = (percent: number): boolean => below(100) < percent;
  // Some seeds make calm histories, others wild ones.
  const trouble = [0, 5, 30][below(3)]!;
  const keys = ['x', 'y', 'z'].slice(0, 1 + below(3));
  const store = new Map<string, Value[]>(keys.map((key) => [key, []]));
  const snapshots = [new Map(store)];
  const stale = chance(30);
  const ops: Op[] = [];
  const push = (type: OpType, process: number, value: Value): void => {
    ops.push({ index: ops.length, time: 0, process, type, f: 'txn', value });
  };
  let next = 1;
  let left = 2 + below(5);
  let fresh = 3;
  const threads: (number | undefined)[] = [0, 1, 2];
  const open = new Map<number, Mop[]>();
  while (left > 0 || open.size > 0) {
    const thread = below(3);
    const process = threads[thread]!;
    const planned = open.get(process);
    if (planned === undefined) {
      if (left === 0) continue;
      left--;
      const length = 1 + below(3);
      const mops = Array.from({ length }, (): Mop => {
        const key = keys[below(keys.length)]!;
        return chance(50) ? ['r', key, null] : [model === 'list-append' ? 'append' : 'w', key, next++];
      });
      open.set(process, mops);
      push('invoke', process, mops);
      continue;
    }
    open.delete(process);
    const type = chance(80) ? 'ok' : chance(50) ? 'info' : 'fail';
    const takesEffect = type === 'ok' ? !chance(trouble / 4) : type === 'info' ? chance(50) : chance(trouble / 4);
    const own = new Map<string, Value[]>();
    const snapshot = stale ? snapshots[below(snapshots.length)]! : store;
    const done = planned.map(([f, key, value]): Mop => {
      const now = own.get(key) ?? store.get(key)!;
      if (f !== 'r') {
        const place = chance(trouble / 4) ? below(now.length + 1) : now.length;
        own.set(key, now.toSpliced(place, 0, value));
        return [f, key, value];
      }
      const seen = own.get(key) ?? snapshot.get(key)!;
      const length = chance(trouble) ? below(seen.length + 1) : seen.length;
      let list = seen.slice(0, length);
      if (chance(trouble / 5)) list = list.toReversed();
      return [
        'r',
        key,
        model === 'list-append' ? (list.length === 0 && chance(50) ? null : list) : (list.at(-1) ?? null),
      ];
    });
    if (takesEffect) for (const [key, list] of own) store.set(key, list);
    snapshots.push(new Map(store));
    if (type === 'ok') push('ok', process, done);
    else push(type, process, planned);
    if (type === 'info') threads[thread] = fresh++;
  }
  return ops;
}

/** A history of lists in which every read is some beginning of what its key holds in the end. */
function wildHistory(seed: number): Op[] {
  const generator = xoroshiro128plus(seed);
  const below = (n: number): number => uniformInt(generator, 0, n - 1);
  const keys = ['x', 'y', 'z', 'u', 'v'].slice(0, 2 + below(4));
  const size = 3 + below(5);
  const appends = [20, 50][below(2)]!;
  const ends = new Map<string, number[]>(keys.map((key) => [key, []]));
  const plans = Array.from({ length: size }, (_, t) => {
    const used = keys.filter(() => below(2) === 0);
    return used.map((key): Mop => {
      const end = ends.get(key)!;
      if (below(100) >= appends || (appends < 50 && end.length > 0)) return ['r', key, null];
      end.splice(below(2) === 0 ? end.length : below(end.length + 1), 0, t + 1);
      return ['append', key, t + 1];
    });
  });
  const ops: Op[] = [];
  const push = (type: OpType, process: number, value: Value): void => {
    ops.push({ index: ops.length, time: 0, process, type, f: 'txn', value });
  };
  const processes = 2 + below(3);
  const waiting = plans.map((plan, t) => ({ plan, process: t % processes }));
  const open: typeof waiting = [];
  while (waiting.length > 0 || open.length > 0) {
    const busy = (process: number): boolean => open.some((other) => other.process === process);
    const next = waiting.findIndex(({ process }) => !busy(process));
    if (next >= 0 && below(2) === 0) {
      const [started] = waiting.splice(next, 1);
      open.push(started!);
      push('invoke', started!.process, started!.plan);
    } else if (open.length > 0) {
      const [{ plan, process }] = open.splice(below(open.length), 1) as [(typeof open)[number]];
      const read = (key: string): number[] => ends.get(key)!.slice(0, below(ends.get(key)!.length + 1));
      push(
        'ok',
        process,
        plan.map(([f, key, value]) => (f === 'r' ? [f, key, read(key)] : [f, key, value])),
      );
    }
  }
  return ops;
}

interface Transaction {
  readonly type: OpType;
  readonly process: number;
  readonly invoked: number;
  readonly completed: number;
  readonly mops: readonly Mop[];
}

function transactionsOf(history: readonly Op[]): Transaction[] {
  return history.flatMap((op, completed) => {
    if (op.type === 'invoke') return [];
    const invoked = history.findLastIndex((other, at) => at < completed && other.process === op.process);
    return [{ type: op.type, process: op.process as number, invoked, completed, mops: op.value as unknown as Mop[] }];
  });
}

/** Whether some order of the transactions explains every read. Real time is kept; uncertain ones may be left out. */
function isStrictSerializable(history: readonly Op[], model: TxnModel): boolean {
  const all = transactionsOf(history).filter(({ type }) => type !== 'fail');
  const walk = (left: readonly Transaction[], state: ReadonlyMap<string, readonly Value[]>): boolean => {
    if (left.every(({ type }) => type === 'info')) return true;
    return left.some((next) => {
      if (left.some((other) => other.type === 'ok' && other.completed < next.invoked)) return false;
      const now = new Map(state);
      for (const [f, key, value] of next.mops) {
        const list = now.get(key) ?? [];
        if (f !== 'r') now.set(key, [...list, value]);
        else if (next.type === 'ok') {
          const seen = model === 'list-append' ? list : (list.at(-1) ?? null);
          if (JSON.stringify(seen) !== JSON.stringify(model === 'list-append' ? (value ?? []) : value)) return false;
        }
      }
      return walk(
        left.filter((other) => other !== next),
        now,
      );
    });
  };
  return walk(all, new Map());
}

/** Edges of a list-append history straight from the definitions: every pair of transactions, every kind. */
function edgesOf(all: readonly Transaction[], variant: '' | 'process' | 'realtime'): Set<string>[][] {
  const edges = all.map(() => all.map(() => new Set<string>()));
  const keys = new Set(all.flatMap(({ mops }) => mops.map(([, key]) => key)));
  const add = (a: number, b: number, kind: string): void => {
    if (a >= 0 && b >= 0 && a !== b && all[a]!.type !== 'fail' && all[b]!.type !== 'fail') edges[a]![b]!.add(kind);
  };
  for (const key of keys) {
    const reads = all.flatMap(({ type, mops }, t) =>
      type === 'ok'
        ? mops.filter(([f, k]) => f === 'r' && k === key).map(([, , v]) => ({ t, list: (v ?? []) as Value[] }))
        : [],
    );
    const longest = reads.reduce<Value[]>((a, { list }) => (list.length > a.length ? list : a), []);
    const order = [...new Set(longest)];
    const writer = (v: Value | undefined): number =>
      all.findIndex(({ mops }) => mops.some(([f, k, w]) => f === 'append' && k === key && w === v));
    const unread = all.flatMap(({ mops }, t) =>
      mops.some(([f, k, v]) => f === 'append' && k === key && !reads.some(({ list }) => list.includes(v))) ? [t] : [],
    );
    const after = (place: number): number[] => (place + 1 < order.length ? [writer(order[place + 1])] : unread);
    for (let place = 0; place < order.length; place++) {
      for (const b of after(place)) add(writer(order[place]), b, 'ww');
    }
    for (const { t, list } of reads) {
      const seen = list.at(-1);
      const w = seen === undefined ? -1 : writer(seen);
      if (w === t && all[t]!.type === 'ok') continue;
      add(w, t, 'wr');
      if (seen !== undefined && !order.includes(seen)) continue;
      for (const b of after(seen === undefined ? -1 : order.indexOf(seen))) add(t, b, 'rw');
    }
  }
  for (const [a, one] of all.entries()) {
    for (const [b, other] of all.entries()) {
      if (one.type !== 'ok' || one.completed > other.invoked) continue;
      if (variant === 'realtime') add(a, b, 'realtime');
      if (variant === 'process' && one.process === other.process) add(a, b, 'process');
    }
  }
  return edges;
}

/** Every kind of cycle there is, by looking at all simple cycles and all closed walks. */
function kindsOf(edges: Set<string>[][]): Set<string> {
  const size = edges.length;
  const kinds = new Set<string>();
  const name = (path: readonly string[]): string => {
    const anti = path.filter((kind) => kind === 'rw').length;
    const adjacent = path.some((kind, i) => kind === 'rw' && path[(i + 1) % path.length] === 'rw');
    const suffix = path.includes('realtime') ? '-realtime' : path.includes('process') ? '-process' : '';
    if (anti === 0) return (path.includes('wr') ? 'G1c' : 'G0') + suffix;
    return (anti === 1 ? 'G-single-item' : adjacent ? 'G2-item' : 'G-nonadjacent-item') + suffix;
  };
  const extend = (first: number, at: number, visited: readonly number[], path: readonly string[]): void => {
    for (let next = first; next < size; next++) {
      for (const kind of edges[at]![next]!) {
        if (next === first) kinds.add(name([...path, kind]));
        else if (!visited.includes(next)) extend(first, next, [...visited, next], [...path, kind]);
      }
    }
  };
  for (let first = 0; first < size; first++) extend(first, first, [first], []);
  // Closed walks without adjacent anti-dependencies that are no simple cycles: states are (vertex, came by rw, suffix).
  const suffixes = ['', '-process', '-realtime'];
  for (const [s, suffix] of suffixes.entries()) {
    const allowed = ['ww', 'wr', 'rw', ...['process', 'realtime'].slice(s - 1, s === 0 ? 0 : s)];
    for (let from = 0; from < size; from++) {
      const seen = new Set<string>();
      const visit = (v: number, byAnti: boolean): void => {
        if (seen.has(`${v} ${byAnti}`)) return;
        seen.add(`${v} ${byAnti}`);
        for (let w = 0; w < size; w++) {
          for (const kind of edges[v]![w]!) {
            if (!allowed.includes(kind) || (byAnti && kind === 'rw')) continue;
            visit(w, kind === 'rw');
          }
        }
      };
      for (let to = 0; to < size; to++) {
        if (!edges[from]![to]!.has('rw')) continue;
        seen.clear();
        visit(to, true);
        if (seen.has(`${from} false`)) kinds.add(`G-nonadjacent-item${suffix}`);
      }
    }
  }
  return kinds;
}

/** Component by component, the kinds that no other kind implies. */
function expectedKinds(history: readonly Op[], variant: '' | 'process' | 'realtime'): string[] {
  const all = transactionsOf(history);
  const edges = edgesOf(all, variant);
  const reach = edges.map((row) => row.map((kinds) => kinds.size > 0));
  for (const k of all.keys()) {
    for (const i of all.keys()) for (const j of all.keys()) reach[i]![j] ||= reach[i]![k]! && reach[k]![j]!;
  }
  const found = new Set<string>();
  for (const root of all.keys()) {
    const part = [...all.keys()].filter((v) => reach[root]![v] && reach[v]![root]);
    const kinds = kindsOf(part.map((a) => part.map((b) => edges[a]![b]!)));
    for (const kind of kinds) {
      if (![...kinds].some((other) => other !== kind && impliedAnomalies(other).has(kind))) found.add(kind);
    }
  }
  return [...found].sort();
}

const isCycle = (kind: string): boolean => /^(G0|G1c|G-|G2)/.test(kind);

function verified(
  t: { fail(message: string, extra: object): void },
  history: readonly Op[],
  section: TxnSection,
  seed: number,
): void {
  for (const anomaly of section.anomalies.filter(
    ({ kind }) => !/-cycle-exists$|^empty-transaction-graph$/.test(kind),
  )) {
    const wrong = verifyAnomaly(history, anomaly);
    if (wrong !== undefined) t.fail(`seed ${seed}: ${wrong}`, { message: anomaly.message, history: show(history) });
  }
}

const show = (history: readonly Op[]): string[] =>
  history.map(({ process, type, value }, at) => `${at} ${process} ${type} ${JSON.stringify(value)}`);

const MODELS = [
  ['realtime', 'strict-serializable'],
  ['process', 'strong-session-serializable'],
  ['', 'serializable'],
] as const;

t.test('finds exactly the kinds of cycle that a search through all cycles finds', (t) => {
  const met = new Map<string, number>();
  let certified = 0;
  for (let seed = 0; seed < RUNS; seed++) {
    const history = seed % 2 === 0 ? smallHistory(seed, 'list-append') : wildHistory(seed);
    for (const [variant, model] of MODELS) {
      const section = checkTxn(history, { model: 'list-append', consistencyModels: [model], certificate: true });
      const { order } = section.details;
      if (order !== undefined) {
        certified++;
        const wrong = verifySerialOrder(history, order, variant === '' ? 'none' : variant);
        if (wrong !== undefined) t.fail(`seed ${seed}: ${wrong}`, { order, history: show(history) });
      }
      if (order === undefined && section.valid === true && expectedKinds(history, variant).length === 0) {
        t.fail(`seed ${seed}: valid without a certificate`);
      }
      const got = section.details.anomalyTypes.filter((kind) => isCycle(kind) && !kind.endsWith('exists'));
      const expected = expectedKinds(history, variant);
      if (got.join() !== expected.join()) {
        t.strictSame(got, expected, `seed ${seed}, ${model}: ${show(history).join('\n')}`);
        t.end();
        return;
      }
      verified(t, history, section, seed);
      for (const kind of expected) met.set(kind, (met.get(kind) ?? 0) + 1);
    }
  }
  t.comment([...met].map(([kind, count]) => `${count} ${kind}`).join(', '));
  t.ok(met.size >= 10, 'met many kinds');
  t.ok(certified > RUNS / 10, `${certified} valid verdicts have an order that explains them`);
  t.end();
});

t.test('a list-append history is valid exactly when some order in real time explains it', (t) => {
  let valid = 0;
  for (let seed = 0; seed < RUNS; seed++) {
    const history = smallHistory(seed, 'list-append');
    const section = checkTxn(history, { model: 'list-append' });
    const expected = isStrictSerializable(history, 'list-append');
    // A history without reads, or of one transaction, is left undecided.
    if (section.valid === 'unknown') continue;
    if (section.valid !== expected) {
      t.equal(section.valid, expected, `seed ${seed}: ${section.summary}\n${show(history).join('\n')}`);
      t.end();
      return;
    }
    if (expected) valid++;
  }
  t.ok(valid > RUNS / 20 && valid < RUNS * 0.9, `${valid} of ${RUNS} are valid`);
  t.end();
});

t.test('an rw-register history that some order in real time explains is valid, whatever is assumed of keys', (t) => {
  let [valid, invalid] = [0, 0];
  let [certified, uncertified] = [0, 0];
  for (let seed = 0; seed < RUNS; seed++) {
    const history = smallHistory(seed, 'rw-register');
    const explained = isStrictSerializable(history, 'rw-register');
    for (const options of [
      {},
      { wfrKeys: true },
      { sequentialKeys: true },
      { linearizableKeys: true, wfrKeys: true, sequentialKeys: true, initial: null },
    ] satisfies Partial<TxnOptions>[]) {
      const section = checkTxn(history, { model: 'rw-register', certificate: true, ...options });
      const { order } = section.details;
      if (order !== undefined) {
        certified++;
        // An order that was found in vain for real time may still be one without it.
        const wrong = verifySerialOrder(history, order, explained ? 'realtime' : 'none');
        if (wrong !== undefined) t.fail(`seed ${seed}: ${wrong}`, { order, history: show(history) });
      } else if (explained && section.valid === true) uncertified++;
      if (explained && section.valid === false) {
        t.fail(`seed ${seed}: ${section.anomalies[0]?.message}\n${show(history).join('\n')}`);
        t.end();
        return;
      }
      verified(t, history, section, seed);
      if (section.valid === false) invalid++;
    }
    if (explained) valid++;
  }
  t.ok(valid > RUNS / 20 && invalid > RUNS / 20, `${valid} are explained, ${invalid} verdicts are invalid`);
  t.comment(`${certified} verdicts have an order; ${uncertified} valid ones of histories that are explained have none`);
  t.equal(uncertified, 0, 'an order is found where there is one');
  t.end();
});

t.test('what is read straight from bytes is what the operations say', (t) => {
  const encode = (history: readonly Op[], keys: (key: string) => Value): Uint8Array => {
    const lines = history.map((op) => {
      const value = (op.value as unknown as readonly Mop[]).map(([f, key, v]) => [f, keys(key), v] as const);
      return encodeOp({ ...op, value });
    });
    // The last lines of a file are read another way.
    return new TextEncoder().encode(`${lines.join('')}${'\n'.repeat(100)}`);
  };
  const kinds: readonly ((key: string) => Value)[] = [
    (key) => key,
    (key) => key.charCodeAt(0),
    (key) => key.charCodeAt(0) * 1e9,
    (key) => [key, null, ['"', 7]],
  ];
  for (let seed = 0; seed < RUNS / 10; seed++) {
    for (const model of ['list-append', 'rw-register'] as const) {
      const { events } = parseHistory(encode(smallHistory(seed, model), kinds[seed % kinds.length]!));
      const options: TxnOptions = { model, ...(model === 'rw-register' ? { linearizableKeys: true } : {}) };
      const [fromBytes, fromOps] = [checkTxn(events, options), checkTxn(events.ops(), options)];
      if (JSON.stringify(fromBytes) !== JSON.stringify(fromOps)) {
        t.strictSame(fromBytes, fromOps, `seed ${seed}`);
        t.end();
        return;
      }
      const unpacked = Events.unpack(events.pack());
      if (JSON.stringify(checkTxn(unpacked, options)) !== JSON.stringify(fromOps)) t.fail(`seed ${seed}: unpacked`);
    }
  }
  t.end();
});
