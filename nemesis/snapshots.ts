import { attempt, type FaultKind, type NodeEffect, onEach, power, type Situation, settingOf } from './fault-kind.ts';
import { around } from './lag.ts';
import { nodeTargets, someNodes, without } from './node-targets.ts';
import type { NodeId, Snapshots, World } from './world.ts';

const timesMin = 3;
const timesMax = 20;
/** How long a follower is left behind before the storm. */
const lagMs = 700;

/** Snapshots in quick succession: logs let go to the last entry, and followers that are sent what has gone already. */
export const snapshots: FaultKind = {
  domain: 'links',
  variants: {
    storm: (situation) => storm(nodeTargets.all!(situation)?.nodes ?? [], situation),
    'of-primaries': (situation) => storm(nodeTargets.primaries!(situation)?.nodes ?? [], situation),
    /** One follower comes back in the middle of it, and again (etcd#18055). */
    'behind-follower': (situation) => {
      const [behind] = someNodes(without(situation.nodes, situation.primaries), 1, situation.random);
      if (behind === undefined || situation.nodes.length < 3) return undefined;
      return storm(without(situation.nodes, [behind]), situation, { behind });
    },
  },
  async start(world, chosen) {
    const { times, behind } = settingOf(chosen, 'snapshots').snapshots;
    const cut = behind === undefined ? [] : [await leaveBehind(world, behind)];
    const taken = onEach(chosen.nodes, (node) => takeAll(world, node, times));
    const heal = behind === undefined ? [] : [await attempt(() => world.cut([]))];
    return [...(await taken), ...cut, ...heal];
  },
  end: async (world) => [await attempt(() => world.cut([]))],
};

function storm(nodes: readonly NodeId[], { random }: Situation, more: Pick<Snapshots, 'behind'> = {}) {
  const times = timesMin + random(timesMax - timesMin + 1);
  return { nodes, setting: { type: 'snapshots', snapshots: { times, ...more } } } as const;
}

async function leaveBehind(world: World, node: NodeId): Promise<NodeEffect> {
  const cut = attempt(() => world.cut(around(world, [node])));
  await world.sleep(lagMs);
  return cut;
}

/** One right after another; what it came to is the last one's. */
async function takeAll(world: World, node: NodeId, times: number) {
  const take = power(world, 'takeSnapshot');
  for (let taken = 1; taken < times; taken++) await take(node);
  return take(node);
}
