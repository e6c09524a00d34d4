import t from 'tap';
import type { Chosen } from './fault-kind.ts';
import { FlagWorld, nodesOf, seeded } from './flag-world.ts';
import { moments } from './moments.ts';
import type { Effect, Happening, Link, Moment, NodeId, Reaction, World } from './world.ts';

/** A world in which each moment comes as soon as it is waited for, in that order, and which notes what is done. */
function staged(happenings: readonly Happening[]) {
  const flags = new FlagWorld(3, 1e6);
  const done: string[] = [];
  const awaited: Moment[] = [];
  let at = 0;
  const note = (what: string): Promise<Effect> => {
    done.push(what);
    return Promise.resolve({ effect: 'proven', mechanism: 'noted', proof: {} });
  };
  const world: World = {
    nodes: flags.nodes,
    primaries: async () => ['1'],
    cut: (links) => note(`cut ${from(links)}`),
    start: (node) => note(`start ${node}`),
    kill: (node) => note(`kill ${node}`),
    pause: (node) => note(`pause ${node}`),
    resume: (node) => note(`resume ${node}`),
    setClock: () => note('clock'),
    async next(moment) {
      awaited.push(moment);
      // After the reaction to the one before.
      await new Promise((resolve) => setImmediate(resolve));
      return happenings[at++];
    },
    sleep: async () => {},
    random: () => 0,
  };
  return { world, done, awaited };
}

function from(links: readonly Link[]): string {
  return links.map(({ from, to }) => `${from}${to}`).join(' ');
}

function choose(variant: string, seed: number, nodes = 3): Reaction | undefined {
  const chosen = moments.variants[variant]!({ nodes: nodesOf(nodes), primaries: ['1'], random: seeded(seed) });
  return chosen?.setting?.type === 'reaction' ? chosen.setting.reaction : undefined;
}

function told(reaction: Reaction, nodes: readonly NodeId[] = nodesOf(3)): Chosen {
  return { nodes, setting: { type: 'reaction', reaction } };
}

t.test(
  'figure 8: new leaders are cut off, and the one that has spread its old entry is not heard any more',
  async (t) => {
    const { world, done, awaited } = staged([{ node: '2' }, { node: '3' }, { node: '2', peer: '1' }]);
    const steps = [
      { moment: 'elected', afterMs: 0, hits: 'node', act: 'cut' },
      { moment: 'elected', afterMs: 0, hits: 'node', act: 'cut' },
      { moment: 'old-append', afterMs: 0, hits: 'node', act: 'silence' },
    ] as const;
    const effects = await moments.start(world, told({ steps, scene: 'leader-cut' }));
    t.same(awaited, ['elected', 'elected', 'old-append']);
    t.same(done, ['cut 12 13 21 31', 'cut 21 23 12 32', 'cut 31 32 13 23', 'cut 21 23']);
    t.equal(effects.length, 4);
    for (let seed = 0; seed < 20; seed++) {
      const drawn = choose(seed % 2 === 0 ? 'figure-8' : 'figure-8-with-more', seed)!;
      t.match(drawn.steps.at(-1), { moment: 'old-append', act: 'silence', afterMs: 0 });
      t.ok(drawn.steps.length >= 2 && drawn.steps.slice(0, -1).every(({ moment }) => moment === 'elected'));
    }
  },
);

t.test('each turn takes the place of the one before', async (t) => {
  const { world, done } = staged([{ node: '1' }, { node: '1' }, { node: '2' }, { node: '3' }]);
  const step = { moment: 'committed', afterMs: 0, hits: 'node' } as const;
  await moments.start(
    world,
    told({
      scene: 'nothing',
      steps: [
        { ...step, act: 'cut' },
        { ...step, act: 'kill' },
        { ...step, act: 'pause', hits: 'others' },
        { ...step, act: 'pause' },
      ],
    }),
  );
  t.same(done, ['cut 12 13 21 31', 'kill 1', 'cut ', 'pause 1', 'pause 3', 'start 1', 'pause 3', 'resume 1']);
});

t.test('a moment that does not come ends the story, and its end brings all back', async (t) => {
  const { world, done } = staged([{ node: '1' }]);
  const step = { moment: 'elected', afterMs: 0, hits: 'all', act: 'kill' } as const;
  await moments.start(world, told({ scene: 'nothing', steps: [step, step] }));
  t.same(done.splice(0), ['kill 1', 'kill 2', 'kill 3']);
  await moments.end(world, told({ steps: [] }));
  t.same(done, ['cut ', 'resume 1', 'resume 2', 'resume 3', 'start 1', 'start 2', 'start 3']);
});

t.test('a story waits for no moment that nobody is left to bring about, and needs three nodes', async (t) => {
  for (const variant of Object.keys(moments.variants)) {
    t.equal(choose(variant, 1, 2), undefined);
    for (let seed = 0; seed < 50; seed++) {
      const { steps } = choose(variant, seed)!;
      t.ok(steps.slice(0, -1).every(({ hits }) => hits !== 'others' && hits !== 'all'));
    }
  }
});
