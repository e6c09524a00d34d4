import fc from 'fast-check';
import t from 'tap';
import {
  byteStringOf,
  bytesOf,
  type Command,
  type Compare,
  DEFAULT_LIMITS,
  decodeCommand,
  encodeCommand,
  prefixEnd,
  SNAPSHOT_CHUNK_BYTES,
  SnapshotError,
  type StateView,
  Store,
  type TxnOperation,
  type WatchEvent,
  type Watcher,
} from './index.ts';
import { PersistentTree } from './persistent-tree.ts';
import { inRange, Model } from './testing-model.ts';

const LIMITS = { ...DEFAULT_LIMITS, valueBytesMax: 600, sessionsMax: 3, historyEventsMax: 12 };

const key = fc.constantFrom('', 'a', 'ab', 'b', '\xff', '\xff\x00', 'c');
const value = fc.oneof(
  fc.uint8Array({ maxLength: 6 }),
  fc.constantFrom(new Uint8Array(0), new Uint8Array([1]), new Uint8Array(601), new Uint8Array(300).fill(9)),
);
const small = fc.nat({ max: 12 });
const compare: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({
    type: fc.constant('value' as const),
    key,
    relation: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
    value,
  }),
  fc.record({
    type: fc.constantFrom('revision' as const, 'create-revision' as const, 'version' as const),
    key,
    relation: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
    number: small,
  }),
  fc.record({ type: fc.constant('exists' as const), key, exists: fc.boolean() }),
);
const txnOperation: fc.Arbitrary<TxnOperation> = fc.oneof(
  fc.record({ type: fc.constant('get' as const), key }),
  fc.record({ type: fc.constant('range' as const), from: key, to: key, limit: small }),
  fc.record({ type: fc.constant('range' as const), from: key, limit: small }),
  fc.record({ type: fc.constant('put' as const), key, value }),
  fc.record({ type: fc.constant('delete' as const), key }),
  fc.record({ type: fc.constant('append' as const), key, element: value.filter(({ length }) => length < 600) }),
);
const operation = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value }),
  fc.record({ type: fc.constant('put' as const), key, value, ifRevision: small }),
  fc.record({ type: fc.constant('delete' as const), key }),
  fc.record({ type: fc.constant('delete' as const), key, ifRevision: small }),
  fc.record({ type: fc.constant('cas' as const), key, expected: fc.option(value), value }),
  fc.record({ type: fc.constant('append' as const), key, element: value.filter(({ length }) => length < 600) }),
  fc.record({
    type: fc.constant('txn' as const),
    compare: fc.array(compare, { maxLength: 2 }),
    // biome-ignore lint/suspicious/noThenProperty: the name that transactions give it
    then: fc.array(txnOperation, { maxLength: 5 }),
    else: fc.array(txnOperation, { maxLength: 5 }),
  }),
  fc.record({ type: fc.constant('open-session' as const) }),
  fc.record({ type: fc.constant('close-session' as const), id: small }),
);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: operation },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        operation,
        fc.record({ session: fc.oneof(fc.constantFrom(1, 2), small), sequence: fc.nat({ max: 5 }) }),
        fc.string({ maxLength: 9 }),
      )
      .map(([body, session, id]) => ({ ...body, session, operationId: byteStringOf(new TextEncoder().encode(id)) })),
  },
);
/** Two sessions are open to begin with, so that many commands meet one. */
const commands = fc
  .array(command, { maxLength: 60 })
  .map((list): Command[] => [{ type: 'open-session' }, { type: 'open-session' }, ...list]);

function transfer(view: StateView, store: Store, cut: (at: number) => number): void {
  const restore = store.restore();
  let at = 0;
  for (const chunks = view.chunks(), next = () => chunks.next(); ; ) {
    const { value: chunk } = next();
    if (chunk === undefined) break;
    for (let from = 0; from < chunk.length; ) {
      const to = Math.min(chunk.length, from + 1 + cut(at++));
      restore.add(chunk.slice(from, to));
      from = to;
    }
  }
  restore.finish();
}

function drain(watcher: Watcher, into: WatchEvent[], max = 2): boolean {
  for (;;) {
    const batch = watcher.take(max);
    if (batch.type === 'too-slow') return false;
    if (batch.events.length === 0) return true;
    into.push(...batch.events);
  }
}

function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (_, part) => (part instanceof Uint8Array ? { bytes: [...part] } : part)),
  );
}

t.test('every command does what the naive model does, now and at every revision that is kept', async (t) => {
  fc.assert(
    fc.property(commands, (list) => {
      const store = new Store(LIMITS);
      const model = new Model(LIMITS);
      for (const [at, next] of list.entries()) {
        const bytes = encodeCommand(next);
        const outcome = store.apply(at + 1, bytes);
        // Nothing of the bytes may be kept.
        bytes.fill(0xee);
        if (!t.strictSame(plain(outcome), plain(model.apply(at + 1, next)), JSON.stringify(next))) return false;
      }
      if (store.revision !== model.revision || store.compactedRevision !== model.compactedRevision) return false;
      for (const [revision, keys] of model.states.entries()) {
        for (const one of ['', 'a', 'ab', 'b', '\xff', '\xff\x00', 'c', 'd']) {
          const held = keys.get(one);
          const wanted = revision < model.compactedRevision ? 'compacted' : held && { key: one, ...held };
          if (!t.strictSame(plain(store.getAt(one, revision)), plain(wanted))) return false;
        }
        if (revision < model.compactedRevision) continue;
        for (const [from, to, limit] of [
          ['', undefined, 99],
          ['a', 'b', 99],
          ['', undefined, 2],
          ['b', '\xff\x00', 1],
        ] as const) {
          const all = inRange(keys, from, to);
          const items = all.slice(0, limit).map((one) => ({ key: one, ...keys.get(one)! }));
          const wanted = { revision, items, more: all.length > items.length };
          const range = store.range({ from, ...(to === undefined ? {} : { to }), limit, revision });
          if (!t.strictSame(plain(range), plain(wanted))) return false;
        }
      }
      return store.getAt('a', model.revision + 1) === 'future' && store.size === model.keys.size;
    }),
    { numRuns: 150 },
  );
});

t.test('a state is the same by replay and by snapshot, and goes on alike, however the snapshot is cut', async (t) => {
  fc.assert(
    fc.property(commands, commands, fc.nat({ max: 5000 }), (before, after, size) => {
      const one = new Store(LIMITS);
      const two = new Store(LIMITS);
      for (const [at, next] of before.entries()) one.apply(at + 1, encodeCommand(next));
      transfer(one.view(), two, (at) => (at * 7919) % (size + 1));
      if (one.hash() !== two.hash() || two.appliedIndex !== before.length) return false;
      for (const [at, next] of after.entries()) {
        const index = before.length + at + 1;
        const [first, second] = [one, two].map((store) => store.apply(index, encodeCommand(next)));
        if (!t.strictSame(plain(first), plain(second)) || one.hash() !== two.hash()) return false;
      }
      for (let revision = one.compactedRevision; revision <= one.revision; revision++) {
        const query = { from: '', limit: 99, revision };
        if (!t.strictSame(plain(one.range(query)), plain(two.range(query)))) return false;
      }
      return one.compactedRevision === two.compactedRevision;
    }),
    { numRuns: 150 },
  );
});

t.test('a view stands still while applying goes on', async () => {
  fc.assert(
    fc.property(commands, commands, (before, after) => {
      const store = new Store(LIMITS);
      for (const [at, next] of before.entries()) store.apply(at + 1, encodeCommand(next));
      const hash = store.hash();
      const view = store.view();
      for (const [at, next] of after.entries()) store.apply(before.length + at + 1, encodeCommand(next));
      const copy = new Store(LIMITS);
      transfer(view, copy, () => 99);
      return copy.hash() === hash && view.hash === hash && copy.appliedIndex === before.length;
    }),
    { numRuns: 100 },
  );
});

t.test('watchers see every change of their keys once and in order, or are told that they are too slow', async (t) => {
  fc.assert(
    fc.property(commands, fc.nat({ max: 20 }), fc.nat({ max: 60 }), (list, from, moved) => {
      let store = new Store(LIMITS);
      const model = new Model(LIMITS);
      const quick: WatchEvent[] = [];
      const late: WatchEvent[] = [];
      const one: WatchEvent[] = [];
      let woken = 0;
      const all = store.watch({ prefix: '' }, undefined, () => woken++) as Watcher;
      const lateOne = store.watch({ prefix: 'a' }, from + 1, () => {}) as Watcher;
      const single = store.watch({ key: 'b' }, undefined, () => {}) as Watcher;
      for (const [at, next] of list.entries()) {
        const before = model.events.length;
        const wokenBefore = woken;
        store.apply(at + 1, encodeCommand(next));
        model.apply(at + 1, next);
        if (woken - wokenBefore !== (model.events.length > before ? 1 : 0)) return false;
        drain(all, quick);
        if (at % 3 === 0) drain(lateOne, late);
        // The state is replaced under the watchers, as when a peer sends a snapshot.
        if (at === moved) transfer(store.view(), store, () => 999);
      }
      if (!t.strictSame(plain(quick), plain(model.events))) return false;
      const wantedLate = model.events.filter((event) => event.key.startsWith('a') && event.revision > from);
      const lateIsThere = drain(lateOne, late);
      if (lateIsThere && !t.strictSame(plain(late), plain(wantedLate))) return false;
      const wanted = model.events.filter((event) => event.key === 'b');
      const isThere = drain(single, one);
      if (isThere !== (wanted.length === 0 || wanted[0]!.revision > model.compactedRevision)) return false;
      if (isThere && !t.strictSame(plain(one), plain(wanted))) return false;
      const again = store.watch({ prefix: '' }, 1, () => {});
      store = new Store(LIMITS);
      return (again === 'compacted') === model.compactedRevision >= 1;
    }),
    { numRuns: 150 },
  );
});

t.test('a retry takes effect once and gets the same answer, also after a snapshot', async (t) => {
  const store = new Store(LIMITS);
  const open = store.apply(1, encodeCommand({ type: 'open-session' }));
  t.strictSame(open.result, { type: 'open-session', session: 1 });
  const append = encodeCommand({
    type: 'append',
    key: 'list',
    element: bytesOf('x'),
    session: { session: 1, sequence: 1 },
    operationId: 'op-1',
  });
  const first = store.apply(2, append);
  t.strictSame(first, { effect: 'applied', result: { type: 'append', revision: 1, length: 1 }, operationId: 'op-1' });
  const restored = new Store(LIMITS);
  transfer(store.view(), restored, () => 10);
  for (const one of [store, restored]) {
    t.strictSame(one.apply(3, append), { ...first, effect: 'deduplicated' });
    t.strictSame(one.get('list')?.value, [bytesOf('x')]);
  }
  t.equal(store.hash(), restored.hash());
});

t.test('the hash is over sessions and the applied index too, and a stale sequence is refused', async (t) => {
  const session = { session: 1, sequence: 2 };
  const hashes = new Set<string>();
  for (const last of [
    { type: 'open-session' },
    { type: 'close-session', id: 1 },
    { type: 'delete', key: 'none' },
    { type: 'delete', key: 'none', session },
    { type: 'delete', key: 'none', session: { ...session, sequence: 3 } },
  ] as const) {
    const store = new Store();
    store.apply(1, encodeCommand({ type: 'open-session' }));
    hashes.add(store.hash());
    store.apply(2, encodeCommand(last));
    hashes.add(store.hash());
    if (!('session' in last)) continue;
    const stale = encodeCommand({ type: 'put', key: 'k', value: bytesOf('v'), session: { session: 1, sequence: 1 } });
    t.match(store.apply(3, stale), { effect: 'refused', result: { reason: 'sequence-stale' } });
    t.equal(store.size, 0);
  }
  t.equal(hashes.size, 6);
});

t.test('the newest revision is kept whatever its size, and lists share what they have in common', async (t) => {
  const small = new Store({ ...DEFAULT_LIMITS, historyEventsMax: 2 });
  const watcher = small.watch({ prefix: '' }, undefined, () => {}) as Watcher;
  const put = (key: string) => ({ type: 'put', key, value: bytesOf('v') }) as const;
  // biome-ignore lint/suspicious/noThenProperty: the name that transactions give it
  small.apply(1, encodeCommand({ type: 'txn', compare: [], then: ['a', 'b', 'c'].map(put), else: [] }));
  t.match(watcher.take(1), { events: [{ key: 'a' }, { key: 'b' }, { key: 'c' }] });
  const store = new Store();
  const element = new Uint8Array(100);
  for (let index = 1; index <= 1000; index++) store.apply(index, encodeCommand({ type: 'append', key: 'l', element }));
  let bytes = 0;
  for (const chunk of iterate(store.view())) bytes += chunk.length;
  t.ok(bytes < 150_000, `1,000 versions of a list of 100 kB are streamed in ${bytes} bytes`);
});

t.test('an entry is never applied twice nor left out', async (t) => {
  const store = new Store();
  store.skip(1);
  store.apply(2, encodeCommand({ type: 'put', key: 'k', value: bytesOf('v') }));
  for (const index of [1, 2, 4]) {
    t.throws(() => store.apply(index, encodeCommand({ type: 'delete', key: 'k' })), { name: 'InvariantViolation' });
    t.throws(() => store.skip(index), { name: 'InvariantViolation' });
  }
  t.equal(store.size, 1);
});

t.test('commands survive their encoding, and garbage is refused without harm', async (t) => {
  fc.assert(fc.property(command, (one) => t.strictSame(plain(decodeCommand(encodeCommand(one))), plain(one))));
  fc.assert(
    fc.property(command, fc.nat(), fc.nat({ max: 255 }), (one, place, byte) => {
      const bytes = encodeCommand(one);
      const store = new Store(LIMITS);
      for (let length = 0; length < Math.min(bytes.length, 40); length++) {
        if (decodeCommand(bytes.subarray(0, length)) !== undefined) return false;
      }
      bytes[place % bytes.length] = byte;
      store.apply(1, bytes);
      return decodeCommand(new Uint8Array([...encodeCommand(one), 0])) === undefined;
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      decodeCommand(bytes);
    }),
  );
  const store = new Store();
  t.match(store.apply(1, new Uint8Array([15, 1, 2])), { effect: 'refused', result: { reason: 'malformed' } });
  t.throws(() => encodeCommand({ type: 'delete', key: 'k', operationId: 'x'.repeat(129) }), RangeError);
  t.throws(() => encodeCommand({ type: 'delete', key: 'é€' }), RangeError);
});

t.test('a damaged or foreign snapshot is refused, and the store stays as it was', async (t) => {
  const store = new Store(LIMITS);
  for (let index = 1; index <= 40; index++) {
    store.apply(index, encodeCommand({ type: 'put', key: `k${index % 7}`, value: new Uint8Array(50).fill(index) }));
  }
  const [chunk] = [...iterate(store.view())];
  let harmless = 0;
  for (let at = 0; at < chunk!.length; at += 3) {
    const damaged = chunk!.slice();
    damaged[at]! ^= 1 << (at % 8);
    const other = new Store(LIMITS);
    try {
      const restore = other.restore();
      restore.add(damaged);
      restore.finish();
      harmless++;
      t.equal(other.hash(), store.hash());
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      t.equal(other.appliedIndex, 0);
    }
  }
  t.equal(harmless, 0, 'every flipped bit was noticed');
  const cutShort = new Store(LIMITS).restore();
  cutShort.add(chunk!.slice(0, -5));
  t.throws(() => cutShort.finish(), SnapshotError);
  t.throws(() => new Store().restore().add(chunk!), { message: /made with/ });
});

function* iterate(view: StateView): Generator<Uint8Array> {
  const chunks = view.chunks();
  for (let next = chunks.next(); next.value !== undefined; next = chunks.next()) yield next.value;
}

t.test('everything is bounded', async (t) => {
  const limits = {
    ...DEFAULT_LIMITS,
    historyBytesMax: 5000,
    listBytesMax: 100,
    txnResultBytesMax: 100,
    sessionsMax: 50,
  };
  const store = new Store(limits);
  let index = 0;
  const run = (one: Command) => store.apply(++index, encodeCommand(one)).result;
  for (let at = 0; at < 100; at++) run({ type: 'put', key: 'k', value: new Uint8Array(1000) });
  t.ok(store.revision - store.compactedRevision <= 5, 'history by bytes');
  t.equal(store.revision - store.compactedRevision > 2, true);
  for (let at = 0; at < 10; at++) run({ type: 'append', key: 'l', element: new Uint8Array(10) });
  t.match(run({ type: 'append', key: 'l', element: new Uint8Array(1) }), { reason: 'too-large' });
  t.equal(store.get('l')?.value.length, 10);
  const reading = { type: 'get', key: 'k' } as const;
  // biome-ignore lint/suspicious/noThenProperty: the name that transactions give it
  const refused = run({ type: 'txn', compare: [], then: [{ type: 'delete', key: 'l' }, reading], else: [] });
  t.match(refused, { reason: 'too-large' });
  t.ok(store.get('l'), 'and nothing of it happened');
  t.match(run({ type: 'put', key: 'x'.repeat(4097), value: new Uint8Array(0) }), { reason: 'too-large' });
  for (let at = 0; at < 60; at++) run({ type: 'open-session' });
  t.match(run({ type: 'delete', key: 'k', session: { session: index - 60, sequence: 1 } }), {
    reason: 'session-expired',
  });
  t.match(run({ type: 'delete', key: 'k', session: { session: index - 30, sequence: 1 } }), { type: 'delete' });
});

t.test('a large state is streamed in bounded pieces, and memory follows what is live', async (t) => {
  const store = new Store({ ...DEFAULT_LIMITS, historyEventsMax: 10 });
  const value = new Uint8Array(200);
  let index = 0;
  // One write to a cold key for every nine to hot ones: cold values must not keep whole slabs alive.
  for (let at = 0; at < 200_000; at++) {
    value.fill(at);
    store.apply(++index, encodeCommand({ type: 'put', key: at % 10 === 0 ? `cold${at}` : `hot${at % 10}`, value }));
  }
  const buffers = new Set<ArrayBufferLike>();
  const range = store.range({ from: '', limit: 100_000 });
  if (typeof range === 'string') throw new Error(range);
  for (const { value } of range.items) if (value instanceof Uint8Array) buffers.add(value.buffer);
  t.equal(range.items.length, 20_009);
  t.ok(buffers.size < 130, `4 MB of values lie in ${buffers.size} slabs of 64 KiB`);
  let bytes = 0;
  for (const chunk of iterate(store.view())) {
    if (chunk.length > SNAPSHOT_CHUNK_BYTES) t.fail('a chunk is too long');
    bytes += chunk.length;
  }
  t.ok(bytes > 2_000_000);
});

t.test('the ordered tree behaves as a sorted map, and its views stand still', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: 700 }), fc.boolean()), { minLength: 200, maxLength: 3000 }),
      fc.nat({ max: 700 }),
      (changes, from) => {
        const tree = new PersistentTree<number>();
        const map = new Map<string, number>();
        const views: {
          cursor: (from: string) => { next(): boolean; key: string; value: number | undefined };
          wanted: string;
        }[] = [];
        const text = (entries: Iterable<[string, number]>) => JSON.stringify([...entries]);
        const sorted = () => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
        for (const [at, [number, remove]] of changes.entries()) {
          const name = `k${number}`;
          const before = remove ? tree.delete(name) : tree.set(name, at);
          if (before !== map.get(name)) return false;
          if (remove) map.delete(name);
          else map.set(name, at);
          if (at % 500 === 499) {
            const view = tree.view();
            views.push({ cursor: (start) => view.cursor(start), wanted: text(sorted()) });
          }
        }
        views.push({ cursor: (start) => tree.cursor(start), wanted: text(sorted()) });
        const start = `k${from}`;
        for (const { cursor, wanted } of views) {
          const found: [string, number][] = [];
          for (const all = cursor(''); all.next(); ) found.push([all.key, all.value!]);
          if (text(found) !== wanted) return false;
          const some = cursor(start);
          const rest = found.filter(([name]) => name >= start);
          for (const [name] of rest) if (!some.next() || some.key !== name) return false;
          if (some.next()) return false;
        }
        return tree.size === map.size;
      },
    ),
    { numRuns: 40 },
  );
});

t.test('byte strings', async (t) => {
  const all = new Uint8Array(10_000).map((_, at) => at);
  t.strictSame(bytesOf(byteStringOf(all)), all);
  t.equal(prefixEnd('ab\xff'), 'ac');
  t.equal(prefixEnd('\xff\xff'), undefined);
  t.throws(() => bytesOf('€'), RangeError);
});
