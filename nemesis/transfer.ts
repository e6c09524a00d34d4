import { oneOf, type Random } from './choice.ts';
import { attempt, type FaultKind, onEach, power, type Situation, settingOf } from './fault-kind.ts';
import { around } from './lag.ts';
import { links, someNodes, without } from './node-targets.ts';
import type { Effect, NodeId, Transfer, World } from './world.ts';

/** How long a node lags that is to take over: some entries behind, not a snapshot. */
const lagMs = 300;
/** In which a leader has sent the request. */
const lostMs = 20;
const cutAfterMs = [0, 0.5, 2, 10, 50, 300] as const;

/**
 * Leadership that is handed over on request: to a node that can take it, and to ones that cannot. However it ends, the
 * leader must go back to taking writes (hashicorp/raft#696).
 */
export const transfer: FaultKind = {
  domain: 'links',
  variants: {
    random: handOver(() => ({ first: 'nothing' })),
    lagging: handOver(() => ({ first: 'lag' })),
    'cut-off': handOver(() => ({ first: 'cut-off' })),
    paused: handOver(() => ({ first: 'pause' })),
    /** The request to campaign is lost, and nothing else. */
    unheard: handOver(() => ({ first: 'deafen' })),
    /** The one that leads then is cut off a moment later. */
    'then-partition': handOver((random) => ({ first: 'nothing', cutAfterMs: oneOf(cutAfterMs, random) })),
  },
  async start(world, chosen) {
    const { first, cutAfterMs } = settingOf(chosen, 'transfer').transfer;
    const [to] = chosen.nodes;
    if (to === undefined) return [];
    const prepared = await prepare(world, to, first);
    const led = await world.primaries();
    const asked = attempt(async () => power(world, 'transferLeadership')(to));
    if (first === 'deafen') {
      await world.sleep(lostMs);
      prepared.push(attempt(() => world.cut([])));
    }
    if (cutAfterMs === undefined) return [await asked, ...(await Promise.all(prepared))];
    await world.sleep(cutAfterMs);
    const cut = attempt(() => world.cut(around(world, led)));
    return [await asked, await cut];
  },
  end: async (world, { nodes }) => [
    await attempt(() => world.cut([])),
    ...(await onEach(nodes, (node) => world.resume(node))),
  ],
};

function handOver(how: (random: Random) => Transfer): FaultKind['variants'][string] {
  return ({ nodes, primaries, random }: Situation) => {
    const [to] = someNodes(without(nodes, primaries), 1, random);
    return to === undefined ? undefined : { nodes: [to], setting: { type: 'transfer', transfer: how(random) } };
  };
}

/** @returns what will have been seen of it: nothing waits for that, since a node that is cut off is soon missed. */
async function prepare(world: World, to: NodeId, first: Transfer['first']): Promise<Promise<Effect>[]> {
  if (first === 'nothing') return [];
  if (first === 'deafen') {
    const led = await world.primaries();
    return [attempt(() => world.cut(links(led, [to])))];
  }
  if (first === 'pause') return [attempt(() => world.pause(to))];
  const cut = attempt(() => world.cut(around(world, [to])));
  if (first === 'cut-off') return [cut];
  await world.sleep(lagMs);
  return [cut, attempt(() => world.cut([]))];
}
