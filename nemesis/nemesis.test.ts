import fc from 'fast-check';
import t from 'tap';
import { trueClock } from './clock.ts';
import { Composition } from './composition.ts';
import type { Chosen } from './fault-kind.ts';
import { FlagWorld, nodesOf, seeded } from './flag-world.ts';
import { defaultKinds, faultKinds, kinds } from './kinds.ts';
import { startNemesis } from './nemesis.ts';
import { majoritySize } from './node-targets.ts';
import { scriptOf } from './script.ts';
import { summarizeFaults } from './summarize.ts';
import { drawPhases, drawSwarm } from './swarm.ts';
import type { Effect, FaultRecord } from './world.ts';

async function runFor(
  endMs: number,
  seed: number,
  names = defaultKinds,
  succeededAt?: (nowMs: number) => number,
): Promise<readonly FaultRecord[]> {
  const world = new FlagWorld(5, endMs);
  const records: FaultRecord[] = [];
  const nemesis = startNemesis({
    world,
    phases: [{ kinds: names, intervalMs: 4000 }],
    random: seeded(seed),
    now: () => world.nowMs * 1e6,
    record: (fault) => records.push(fault),
    ...(succeededAt !== undefined && { succeeded: () => succeededAt(world.nowMs) }),
  });
  await world.run();
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

  t.test('pairs starts with ends; some faults overlap, none with another that takes hold of the same', async (t) => {
    let overlapping = 0;
    let alone = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const records = (await runFor(60_000, seed, faultKinds)).filter(({ kind }) => kind in kinds);
      const on = new Map<number, FaultRecord>();
      for (const record of records) {
        if (record.phase === 'end') {
          const start = on.get(record.id);
          t.ok(start !== undefined && start.kind === record.kind && start.variant === record.variant);
          on.delete(record.id);
          continue;
        }
        const { domain } = kinds[record.kind]!;
        for (const { kind } of on.values()) {
          t.not(domain, undefined, `${record.kind} is never with another`);
          t.not(kinds[kind]!.domain, domain, `${record.kind} is never with ${kind}`);
          t.not(kinds[kind]!.domain, undefined, `${kind} is never with another`);
        }
        if (on.size > 0) overlapping++;
        else alone++;
        on.set(record.id, record);
      }
      t.equal(on.size, 0, 'all have ended');
    }
    t.ok(overlapping > 30 && alone > 30, `${overlapping} with others, ${alone} alone`);
  });

  t.test('waits until the store has come back from the last fault, and no longer than is reasonable', async (t) => {
    for (let seed = 1; seed <= 10; seed++) {
      // It serves its first operation late, and after that none any more.
      const records = await runFor(60_000, seed, ['pause'], (nowMs) => (nowMs < 9000 ? 0 : 1));
      const [first, second] = records.filter(({ phase }) => phase === 'start');
      const end = records.find(({ phase }) => phase === 'end')?.doneTime ?? 0;
      t.ok(first !== undefined && first.time >= 9e9 && first.time < 10e9, `${first?.time}`);
      t.ok(second !== undefined && second.time >= end + 10e9, `${second?.time}`);
    }
  });

  t.test('of a world that cannot do a kind says so', async (t) => {
    for (const kind of faultKinds.filter((name) => !defaultKinds.includes(name))) {
      const [first] = await runFor(10_000, 1, [kind]);
      t.match(first, { kind, effects: [{ effect: 'ineffective', proof: { reason: /this world cannot/ } }] });
    }
  });

  t.test('refuses an unknown kind', async (t) => {
    const options = { random: seeded(1), now: () => 0, record: () => {} };
    const phases = [{ kinds: ['flood'], intervalMs: 1 }] as const;
    t.throws(() => startNemesis({ ...options, world: new FlagWorld(1, 0), phases }), RangeError);
  });
});

t.test('what is on record can be done again by script', async (t) => {
  const endMs = 60_000;
  const records = await runFor(endMs, 3);
  const world = new FlagWorld(5, endMs);
  const again: FaultRecord[] = [];
  const nemesis = startNemesis({
    world,
    phases: [{ kinds: defaultKinds, intervalMs: 4000 }],
    script: scriptOf(records),
    random: seeded(99),
    now: () => world.nowMs * 1e6,
    record: (fault) => again.push(fault),
  });
  await world.run();
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
  t.same(nemesis.unfinished(), []);
});

t.test('phases', async (t) => {
  const phases = [
    { kinds: ['partition', 'kill'], intervalMs: 2000, durations: [4], lengthMs: 12_000 },
    { kinds: ['pause'], intervalMs: 2000, lengthMs: 12_000 },
    { kinds: ['clock'], intervalMs: 2000 },
  ];
  const run = async (script?: ReturnType<typeof scriptOf>) => {
    const world = new FlagWorld(5, 40_000);
    const records: FaultRecord[] = [];
    const whole: boolean[] = [];
    const nemesis = startNemesis({
      world,
      phases,
      script,
      random: seeded(1),
      now: () => world.nowMs * 1e6,
      record: (fault) => records.push(fault),
      async rest() {
        whole.push(world.isWhole());
        await world.sleep(1000);
      },
    });
    await world.run();
    await nemesis.stop();
    return { records, whole };
  };
  const { records, whole } = await run();
  t.same(whole, [true, true], 'all is whole in between');
  const order = records.filter(({ phase, kind }) => phase === 'start' && kind !== 'heal').map(({ kind }) => kind);
  const turns = order.filter((kind, at) => kind !== order[at - 1]);
  t.same(turns.slice(-4), ['rest', 'pause', 'rest', 'clock'], 'each has its own kinds');
  t.same([...new Set(turns.slice(0, -4))].sort(), ['kill', 'partition']);
  const [first, second] = records.filter(({ kind, phase }) => kind === 'rest' && phase === 'start');
  t.ok(first!.time >= 12e9 && first!.time < 13e9, 'and its time, however long its faults would last');
  t.ok(
    second!.time >= first!.doneTime + 13e9 && second!.time < first!.doneTime + 14.5e9,
    'which begins after the rest',
  );

  const again = await run(scriptOf(records));
  t.same(again.whole, [true, true], 'a script has the same rests');
  const told = (all: readonly FaultRecord[]) =>
    all.filter(({ kind }) => kind !== 'heal').map(({ kind, phase, time }) => ({ kind, phase, time }));
  t.same(told(again.records), told(records), 'and faults');
});

t.test('a world that fails is recorded as a fault without effect, and what it left is healed', async (t) => {
  const world = new FlagWorld(3, 20_000);
  const records: FaultRecord[] = [];
  world.setClock = async () => {
    throw new Error('no such clock');
  };
  const nemesis = startNemesis({
    world,
    phases: [{ kinds: ['clock'], intervalMs: 4000 }],
    random: seeded(1),
    now: () => world.nowMs * 1e6,
    record: (fault) => records.push(fault),
  });
  await world.run();
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
    phases: [{ kinds: ['clock'], intervalMs: 4000 }],
    random: seeded(1),
    now: () => world.nowMs * 1e6,
    record: (fault) => records.push(fault),
  });
  await world.run();
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

t.test('faults at the same time', async (t) => {
  const [ab, bc] = [
    { from: '1', to: '2' },
    { from: '2', to: '3' },
  ];
  const world = new FlagWorld(3, 1e6);
  const composition = new Composition(world);
  const [one, other] = [composition.viewOf(1), composition.viewOf(2)];
  const finished = (async () => {
    await Promise.all([one.cut([ab]), other.cut([ab, bc])]);
    t.same(world.links, [ab, bc], 'what is cut adds up');
    await other.cut([]);
    t.same(world.links, [ab], 'and what one has cut stays when the other heals');
    await one.cut([]);
    t.same(world.links, []);

    const looking = one.cut([ab]);
    const next = one.cut([bc]);
    t.same(world.links, [bc], 'what the same fault does next does not wait for proof of the last');
    const others = other.cut([ab]);
    t.same(world.links, [bc], 'what another does, does');
    await Promise.all([looking, next, others]);
    t.same(world.links, [bc, ab]);
    await one.cut([]);
    await other.cut([]);

    await one.kill('1');
    t.match(await other.kill('1'), { effect: 'moot' });
    t.match(await one.start('1'), { effect: 'moot', proof: { keptBy: '2' } });
    t.ok(world.down.has('1'));
    t.match(await other.start('1'), { effect: 'proven' });
    t.match(await composition.viewOf(3).start('1'), { effect: 'moot' }, 'it is up');

    await one.pause('2');
    await other.pause('2');
    t.match(await other.resume('2'), { effect: 'moot', proof: { keptBy: '1' } });
    t.match(await one.resume('2'), { effect: 'proven' });
    t.match(await one.setClock('2', { wallOffsetMs: 1, wallRate: 1, monotonicRate: 1 }), { effect: 'proven' });
    await one.setClock('2', trueClock);
    t.ok(world.isWhole());
  })();
  await Promise.race([finished, world.run()]);
  await finished;
});

t.test('a swarm has every set of kinds in its turn, and none is empty', async (t) => {
  const drawn = Array.from({ length: 200 }, (_, seed) => drawSwarm(['kill', 'pause'], [2000, 4000], seeded(seed)));
  t.same([...new Set(drawn.map(({ kinds }) => [...kinds].sort().join()))].sort(), ['kill', 'kill,pause', 'pause']);
  t.same([...new Set(drawn.map(({ intervalMs }) => intervalMs))].sort(), [2000, 4000]);
  t.same(drawSwarm(faultKinds, [1], seeded(7)), drawSwarm(faultKinds, [1], seeded(7)));
});

t.test('a swarm draws no kind twice, however unlikely the others are', async (t) => {
  for (let seed = 0; seed < 50; seed++) {
    const { kinds } = drawSwarm(['moments', 'delay'], [1], () => seed % 8);
    t.equal(new Set(kinds).size, kinds.length);
  }
});

t.test('a run has as many phases as it has time for', async (t) => {
  const phasesOf = (timeLimitMs: number, seed: number) =>
    drawPhases(() => drawSwarm(faultKinds, [500, 10_000], seeded(seed)), timeLimitMs, seeded(seed));
  const counts = Array.from({ length: 100 }, (_, seed) => phasesOf(60_000, seed).length);
  t.same([...new Set(counts)].sort(), [1, 2, 3, 4, 5, 6]);
  for (let seed = 0; seed < 20; seed++) {
    t.equal(phasesOf(10_000, seed).length, 1);
    for (const { kinds, intervalMs, lengthMs } of phasesOf(60_000, seed)) {
      t.ok(intervalMs * (kinds.length + 1) <= lengthMs + kinds.length, 'each kind has time for a turn');
    }
  }
});
