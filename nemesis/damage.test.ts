import t from 'tap';
import { corruption, reformat } from './damage.ts';
import type { Damage, Effect, NodeId, World } from './world.ts';

const effect = (proof: Effect['proof'] = {}): Effect => ({ effect: 'proven', mechanism: 'told', proof });

/** A world that only writes down what it is asked for; node 1 refuses to start while it is damaged. */
function worldWith(powers: Partial<World>): { readonly world: World; readonly asked: string[] } {
  const asked: string[] = [];
  const damaged = new Set<NodeId>();
  const tell =
    (what: string) =>
    async (node: NodeId): Promise<Effect> => {
      asked.push(`${what} ${node}`);
      return effect();
    };
  const world: World = {
    nodes: ['1', '2', '3', '4', '5'],
    primaries: async () => [],
    cut: async () => effect(),
    kill: tell('kill'),
    pause: tell('pause'),
    resume: tell('resume'),
    setClock: tell('set clock of'),
    sleep: async () => {},
    random: () => 0,
    async start(node) {
      asked.push(`start ${node}`);
      return effect(damaged.has(node) && node === '1' ? { refused: 'log damaged at byte 7' } : { up: true });
    },
    async damage(node: NodeId, { how }: Damage) {
      asked.push(`${how} ${node}`);
      if (how === 'restore') damaged.delete(node);
      else damaged.add(node);
      return effect({ file: 'log', offset: 7 });
    },
    ...powers,
  };
  return { world, asked };
}

const chosen = { nodes: ['1', '2'], setting: { type: 'damage', damage: { file: 'log', how: 'flip' } } } as const;

t.test('a node that refuses gets back all that it had; one that mended itself is left alone', async (t) => {
  const { world, asked } = worldWith({});
  t.match(await corruption.start(world, chosen), [
    { node: '1', effect: 'proven', proof: { file: 'log', offset: 7, refused: 'log damaged at byte 7' } },
    { node: '2', effect: 'proven', proof: { file: 'log', offset: 7, refused: null } },
  ]);
  asked.length = 0;
  t.match(await corruption.end(world, chosen), [{ node: '1', effect: 'proven', proof: { up: true } }, { node: '2' }]);
  t.strictSame(asked, ['start 1', 'restore 1', 'start 1', 'start 2']);
});

t.test('where members can be changed it is emptied and comes back as a new one', async (t) => {
  const asked: string[] = [];
  const tell = (what: string) => async (node: NodeId) => {
    asked.push(`${what} ${node}`);
    return effect();
  };
  const members = { wipe: tell('wipe'), removeMember: tell('remove'), addMember: tell('add') };
  const { world } = worldWith(members);
  await corruption.start(world, chosen);
  await corruption.end(world, chosen);
  t.strictSame(asked, ['wipe 1', 'remove 1', 'add 1']);
  asked.length = 0;
  await reformat.start(world, { nodes: ['3', '4'] });
  await reformat.end(world, { nodes: ['3', '4'] });
  t.strictSame(asked, ['wipe 3', 'wipe 4', 'remove 3', 'add 3', 'remove 4', 'add 4'], 'one after the other');
});

t.test('a member that was not removed is not added, and nobody is emptied without a way back', async (t) => {
  const asked: string[] = [];
  const failed: Effect = { effect: 'ineffective', mechanism: 'told', proof: { reason: 'no leader' } };
  const addMember = async (node: NodeId) => {
    asked.push(`add ${node}`);
    return effect();
  };
  const stuck = worldWith({ wipe: async () => effect(), removeMember: async () => failed, addMember });
  t.match(await reformat.end(stuck.world, { nodes: ['3'] }), [{ node: '3', ...failed }]);
  t.strictSame(asked, []);
  const without = worldWith({
    wipe: async () => {
      throw new Error('wiped');
    },
  });
  t.match(await reformat.start(without.world, { nodes: ['3'] }), [{ proof: { reason: /cannot removeMember/ } }]);
  t.strictSame(without.asked, []);
});

t.test('a majority always stays unharmed', async (t) => {
  const nodesOf = (count: number) => Array.from({ length: count }, (_, at) => String(at + 1));
  let draw = 0;
  const random = (bound: number) => draw++ % bound;
  for (const kind of [corruption, reformat]) {
    for (const [variant, choose] of Object.entries(kind.variants)) {
      for (let count = 1; count <= 9; count++) {
        for (let round = 0; round < 20; round++) {
          const harmed = choose({ nodes: nodesOf(count), primaries: [], random })?.nodes.length ?? 0;
          if (2 * harmed >= count || (harmed === 0) !== count < 3) t.fail(`${variant}: ${harmed} of ${count}`);
        }
      }
    }
  }
});

t.test('a minority of the nodes is left alone while it may be most of those who vote', async (t) => {
  const moot = (reason: string): Effect => ({ effect: 'moot', mechanism: 'told', proof: { reason } });
  const { world, asked } = worldWith({ setVoters: async () => moot('nobody leads') });
  for (const kind of [corruption, reformat]) {
    t.match(await kind.start(world, chosen), [
      { node: '1', effect: 'moot', proof: { reason: /not every node votes/ } },
      { node: '2', effect: 'moot' },
    ]);
  }
  t.strictSame(asked, []);
  const voting = worldWith({ setVoters: async () => moot('they vote already') });
  await corruption.start(voting.world, chosen);
  t.strictSame(voting.asked.slice(0, 2), ['kill 1', 'kill 2']);
});
