import fc from 'fast-check';
import t from 'tap';
import type { Random } from './choice.ts';
import { trueClock } from './clock.ts';
import type { Chosen } from './fault-kind.ts';
import { defaultKinds, faultKinds, kinds } from './kinds.ts';
import { startNemesis } from './nemesis.ts';
import { majoritySize } from './node-targets.ts';
import { scriptOf } from './script.ts';
import { summarizeFaults } from './summarize.ts';
import type { ClockFault, Effect, FaultRecord, Link, NodeId, World } from './world.ts';

const nodesOf = (count: number): readonly NodeId[] => Array.from({ length: count }, (_, at) => String(at + 1));

/** A small generator of its own (mulberry32): what a run is seeded with is not this room's. */
function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** A world of flags, whose time passes only while someone sleeps. */
class FlagWorld implements World {
  readonly nodes: readonly NodeId[];
  readonly random: Random = () => 0;
  readonly down = new Set<NodeId>();
  readonly paused = new Set<NodeId>();
  readonly clocks = new Map<NodeId, ClockFault>();
  links: readonly Link[] = [];
  nowMs = 0;
  readonly #endMs: number;

  constructor(nodes: number, endMs: number) {
    this.nodes = nodesOf(nodes);
    this.#endMs = endMs;
  }

  async primaries(): Promise<readonly NodeId[]> {
    return this.down.has('1') ? [] : ['1'];
  }

  async cut(links: readonly Link[]): Promise<Effect> {
    const changes = this.links.length + links.length > 0;
    this.links = links;
    return this.#effect(changes);
  }

  async start(node: NodeId): Promise<Effect> {
    return this.#effect(this.down.delete(node));
  }

  async kill(node: NodeId): Promise<Effect> {
    return this.#effect(!this.down.has(node) && this.down.add(node) !== undefined);
  }

  async pause(node: NodeId): Promise<Effect> {
    this.paused.add(node);
    return this.#effect(true);
  }

  async resume(node: NodeId): Promise<Effect> {
    return this.#effect(this.paused.delete(node));
  }

  async setClock(node: NodeId, fault: ClockFault): Promise<Effect> {
    const bent = this.clocks.has(node);
    if (fault === trueClock) this.clocks.delete(node);
    else this.clocks.set(node, fault);
    return this.#effect(bent || fault !== trueClock);
  }

  async sleep(ms: number): Promise<void> {
    this.nowMs += ms;
    if (this.nowMs >= this.#endMs) throw new DOMException('the run has ended', 'AbortError');
  }

  isWhole(): boolean {
    return this.links.length + this.down.size + this.paused.size + this.clocks.size === 0;
  }

  /** Doing anything takes a while, too. */
  #effect(worked: boolean): Effect {
    this.nowMs += 40;
    return { effect: worked ? 'proven' : 'moot', mechanism: 'flags', proof: {} };
  }
}

async function runFor(endMs: number, seed: number, names = defaultKinds): Promise<readonly FaultRecord[]> {
  const world = new FlagWorld(5, endMs);
  const records: FaultRecord[] = [];
  const nemesis = startNemesis({
    world,
    kinds: names,
    intervalMs: 4000,
    random: seeded(seed),
    now: () => world.nowMs * 1e6,
    record: (fault) => records.push(fault),
  });
  await world.sleep(0);
  while (world.nowMs < endMs) await Promise.resolve();
  await Promise.all([nemesis.stop(), nemesis.stop()]);
  if (!world.isWhole()) throw new Error('the world is still broken');
  return records;
}

t.test('the plan', async (t) => {
  t.test('is a function of the seed', async (t) => {
    t.same(await runFor(60_000, 7), await runFor(60_000, 7));
    t.notSame(await runFor(60_000, 7), await runFor(60_000, 8));
  });

  t.test('has each kind at least three times in a minute, at least once in half of one, and heals', async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const minute = summarizeFaults(await runFor(60_000, seed));
        const half = summarizeFaults(await runFor(30_000, seed));
        return defaultKinds.every((kind) => minute[kind]!.proven >= 3 && half[kind]!.proven >= 1);
      }),
      { numRuns: 50 },
    );
    t.pass();
  });

  t.test('pairs starts with ends, one fault at a time, about half of the time', async (t) => {
    const records = (await runFor(60_000, 1)).filter(({ kind }) => defaultKinds.includes(kind));
    let faultyNs = 0;
    for (let at = 0; at < records.length; at += 2) {
      const [start, end] = [records[at]!, records[at + 1]!];
      t.match(start, { phase: 'start' });
      t.match(end, { phase: 'end', id: start.id, kind: start.kind, variant: start.variant, nodes: start.nodes });
      faultyNs += end.doneTime - start.time;
      const next = records[at + 2];
      if (next !== undefined) t.ok(next.time - end.doneTime >= 0.5e9, 'quiet in between');
    }
    t.ok(faultyNs > 20e9 && faultyNs < 45e9, `${faultyNs / 1e9} s of 60 s`);
  });

  t.test('of a world that cannot do a kind says so', async (t) => {
    for (const kind of faultKinds.filter((name) => !defaultKinds.includes(name))) {
      const [first] = await runFor(10_000, 1, [kind]);
      t.match(first, { kind, effects: [{ effect: 'ineffective', proof: { reason: /this world cannot/ } }] });
    }
  });

  t.test('refuses an unknown kind', async (t) => {
    const options = { intervalMs: 1, random: seeded(1), now: () => 0, record: () => {} };
    t.throws(() => startNemesis({ ...options, world: new FlagWorld(1, 0), kinds: ['flood'] }), RangeError);
  });
});

t.test('what is on record can be done again by script', async (t) => {
  const endMs = 60_000;
  const records = await runFor(endMs, 3);
  const world = new FlagWorld(5, endMs);
  const again: FaultRecord[] = [];
  const nemesis = startNemesis({
    world,
    kinds: defaultKinds,
    script: scriptOf(records),
    intervalMs: 4000,
    random: seeded(99),
    now: () => world.nowMs * 1e6,
    record: (fault) => again.push(fault),
  });
  await world.sleep(0);
  while (world.nowMs < endMs && again.length < records.length) await Promise.resolve();
  await nemesis.stop();
  const told = (all: readonly FaultRecord[]) =>
    all.map(({ kind, variant, phase, nodes, links, setting, time }) => ({
      kind,
      variant,
      phase,
      nodes,
      links,
      setting,
      time,
    }));
  t.same(told(again), told(records));
  t.equal(nemesis.unfinished(), undefined);
});

t.test('a world that fails is recorded as a fault without effect, and what it left is healed', async (t) => {
  const world = new FlagWorld(3, 20_000);
  const records: FaultRecord[] = [];
  world.setClock = async () => {
    throw new Error('no such clock');
  };
  const nemesis = startNemesis({
    world,
    kinds: ['clock'],
    intervalMs: 4000,
    random: seeded(1),
    now: () => world.nowMs * 1e6,
    record: (fault) => records.push(fault),
  });
  while (world.nowMs < 20_000) await Promise.resolve();
  world.paused.add('3');
  await nemesis.stop();
  t.ok(world.isWhole());
  t.match(records[0], { effects: [{ effect: 'ineffective', proof: { reason: 'no such clock' } }] });
  t.match(records.at(-1), { kind: 'heal', effects: [{ node: '3', effect: 'proven' }, {}, {}, {}] });
});

t.test('a node that ended by itself is started again when the next fault ends', async (t) => {
  const world = new FlagWorld(3, 5000);
  world.down.add('3');
  const records: FaultRecord[] = [];
  const nemesis = startNemesis({
    world,
    kinds: ['clock'],
    intervalMs: 4000,
    random: seeded(1),
    now: () => world.nowMs * 1e6,
    record: (fault) => records.push(fault),
  });
  while (world.nowMs < 5000) await Promise.resolve();
  t.match(
    records.map(({ kind }) => kind),
    ['clock', 'clock', 'restart'],
  );
  await nemesis.stop();
});

t.test('targets', async (t) => {
  const choose = (kind: string, variant: string, count: number, seed: number): Chosen | undefined =>
    kinds[kind]!.variants[variant]!({ nodes: nodesOf(count), primaries: ['1'], random: seeded(seed) });
  const anySize = fc.integer({ min: 1, max: 9 });

  t.test('every variant of every kind chooses nodes and links of the cluster, or none', async (t) => {
    for (const [kind, { variants }] of Object.entries(kinds)) {
      for (const variant of Object.keys(variants)) {
        fc.assert(
          fc.property(anySize, fc.integer(), (count, seed) => {
            const chosen = choose(kind, variant, count, seed);
            if (chosen === undefined) return count <= 3;
            const named = [...chosen.nodes, ...(chosen.links ?? []).flatMap(({ from, to }) => [from, to])];
            const distinct = new Set((chosen.links ?? []).map(({ from, to }) => `${from}>${to}`));
            return (
              chosen.nodes.length > 0 &&
              named.every((node) => nodesOf(count).includes(node)) &&
              (chosen.links ?? []).every(({ from, to }) => from !== to) &&
              distinct.size === (chosen.links ?? []).length &&
              (chosen.links === undefined || distinct.size > 0)
            );
          }),
        );
      }
      t.pass(kind);
    }
  });

  t.test('in a majorities ring every node sees a majority, and no two the same', async (t) => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 9 }), fc.integer(), (count, seed) => {
        const cut = new Set(
          choose('partition', 'majorities-ring', count, seed)!.links!.map(({ from, to }) => `${from}>${to}`),
        );
        const seen = nodesOf(count).map((node) => nodesOf(count).filter((other) => !cut.has(`${node}>${other}`)));
        return (
          seen.every((others) => others.length >= majoritySize(count)) &&
          new Set(seen.map((others) => others.join())).size === count &&
          [...cut].every((link) => cut.has(link.split('>').reverse().join('>')))
        );
      }),
    );
    t.equal(choose('partition', 'majorities-ring', 3, 1), undefined);
  });

  t.test('one-way cuts no link both ways', async (t) => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.integer(), (count, seed) => {
        const links = choose('partition', 'one-way', count, seed)!.links!;
        return links.every(({ from, to }) => !links.some((other) => other.from === to && other.to === from));
      }),
    );
    t.pass();
  });

  t.test('sizes', async (t) => {
    const size = (kind: string, variant: string): number => choose(kind, variant, 5, 3)!.nodes.length;
    t.same(
      ['one', 'minority', 'majority', 'all', 'primaries'].map((variant) => size('pause', variant)),
      [1, 2, 3, 5, 1],
    );
    t.same(
      ['halves', 'one', 'minority-third', 'primaries'].map((variant) => size('partition', variant)),
      [2, 1, 1, 1],
    );
    t.same(choose('pause', 'primaries', 5, 3)!.nodes, ['1']);
  });
});

t.test('a summary counts each fault once, its worst effect', async (t) => {
  const fault = { variant: 'one', time: 0, doneTime: 0, nodes: ['1'] };
  const effects = (...names: Effect['effect'][]) => names.map((effect) => ({ effect, mechanism: 'm', proof: {} }));
  t.same(
    summarizeFaults([
      { ...fault, kind: 'kill', id: 1, phase: 'start', effects: effects('proven', 'moot') },
      { ...fault, kind: 'kill', id: 1, phase: 'end', effects: effects('proven') },
      { ...fault, kind: 'kill', id: 2, phase: 'start', effects: effects('proven') },
      { ...fault, kind: 'kill', id: 2, phase: 'end', effects: effects('ineffective', 'proven') },
      { ...fault, kind: 'pause', id: 3, phase: 'start', effects: effects('moot') },
      { ...fault, kind: 'pause', id: 3, phase: 'end', effects: effects('proven') },
    ]),
    { kill: { proven: 1, moot: 0, ineffective: 1 }, pause: { proven: 0, moot: 1, ineffective: 0 } },
  );
});
