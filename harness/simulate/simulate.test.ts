import t from 'tap';
import type { PortError } from '../../system/ports.ts';
import { Coverage } from './coverage.ts';
import { Escape, guarded } from './guard.ts';
import { eventKind, SimProcess } from './scheduler.ts';
import { calmNetwork, SimNetwork } from './sim-network.ts';
import { emptyWorld, second } from './testing-world.ts';

t.test('the network', async (t) => {
  /** Dials from node 1 to node 2 and sends `count` writes; gives what arrived and how it ended. */
  const exchange = async (seed: number, count: number, prepare: (network: SimNetwork) => void) => {
    const { scheduler, random } = emptyWorld(seed);
    const network = new SimNetwork(scheduler, random);
    const [one, two] = [new SimProcess('1', 1), new SimProcess('2', 2)];
    const arrived: number[] = [];
    const ends: string[] = [];
    const data = (chunk: Uint8Array) => arrived.push(...chunk);
    const closed = (error: PortError | undefined) => ends.push(error?.code ?? 'orderly');
    const listening = network.portOf(two).listen({ host: '2', port: 1 }, (c) => c.handle({ data, closed }));
    await listening;
    prepare(network);
    const connection = network.portOf(one).connect({ host: '2', port: 1 }, { data() {}, closed });
    for (let i = 0; i < count; i++) {
      scheduler.schedule(10_000 * i, eventKind.timer, one, () => connection.write([Uint8Array.of(i)]));
    }
    await scheduler.run(10 * second);
    return { arrived, ends, network };
  };
  const sent = Array.from({ length: 100 }, (_, i) => i);

  t.test('delivers in order', async (t) => {
    t.strictSame((await exchange(1, 100, () => {})).arrived, sent);
  });
  t.test('loses, repeats and reorders whole writes when told to', async (t) => {
    const under = (conditions: object) =>
      exchange(1, 100, (network) => {
        network.conditions = { ...calmNetwork, ...conditions };
      });
    const lossy = (await under({ lose: 2000 })).arrived;
    t.ok(lossy.length < 100 && lossy.length > 50);
    const repeated = (await under({ duplicate: 2000 })).arrived;
    t.ok(repeated.length > 100);
    t.strictSame(
      [...new Set(repeated)].sort((a, b) => a - b),
      sent,
    );
    const reordered = (await under({ reorder: 2000 })).arrived;
    t.notSame(reordered, sent);
    t.strictSame(
      reordered.toSorted((a, b) => a - b),
      sent,
    );
  });
  t.test('a cut link swallows what is sent over it and only that', async (t) => {
    const cut = await exchange(1, 3, (network) => network.cut(new Set(['1>2'])));
    t.strictSame(cut.arrived, []);
    t.strictSame(cut.ends, ['ETIMEDOUT']);
    t.match(cut.network.counters('1', '2'), { passed: 0, dropped: 1 });
    t.strictSame((await exchange(1, 3, (network) => network.cut(new Set(['2>1'])))).arrived, [0, 1, 2]);
  });
});

t.test('coverage tells a log that grew from one whose suffix was replaced', async (t) => {
  const coverage = new Coverage();
  const machine = { number: 1, incarnations: 1 };
  const look = (terms: readonly number[], snapshotIndex = 0) =>
    coverage.look(machine, {
      raft: { lastIndex: terms.length },
      readRounds: terms.length,
      snapshotIndex,
      termAt: (index) => (index > snapshotIndex ? terms[index - 1] : undefined),
    });
  look([1, 1]);
  look([1, 1, 1]);
  t.equal(coverage.counts['log suffixes replaced'], 0);
  look([1, 2, 2, 2]);
  t.equal(coverage.counts['log suffixes replaced'], 1, 'longer, with another term where the end was');
  look([1, 2]);
  t.equal(coverage.counts['log suffixes replaced'], 2, 'shorter');
  look([1, 2, 3, 3], 3);
  t.match(coverage.counts, { 'log suffixes replaced': 2, 'logs compacted': 1, 'read index rounds': 4 });
  coverage.logged('raft', { message: '1 became candidate at term 2' });
  coverage.logged('raft', { message: '1 became candidate at term 3' });
  coverage.logged('raft', { message: '1 became leader at term 3' });
  t.match(coverage.counts, { 'leaders elected': 1, 'elections lost or split': 1 });
});

t.test('the guard names what reached past the ports', async (t) => {
  const escapes: [string, () => unknown][] = [
    ['Date.now', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Math.random', () => Math.random()],
    ['performance.now', () => performance.now()],
    ['setTimeout', () => setTimeout(() => {}, 1)],
    ['setImmediate', () => setImmediate(() => {})],
  ];
  for (const [name, act] of escapes) {
    const swallowing = guarded(async () => {
      try {
        act();
      } catch {
        // A system that swallows exceptions does not hide the escape.
      }
    });
    await t.rejects(swallowing, new Escape(name), name);
  }
  t.equal(await guarded(async () => new Date(0).getTime()), 0, 'arithmetic on dates is no escape');
  t.type(Date.now(), 'number', 'and the doors open again');
});
