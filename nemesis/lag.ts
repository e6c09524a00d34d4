import { attempt, type NodeEffect, onEach, power } from './fault-kind.ts';
import { links, without } from './node-targets.ts';
import type { Link, NodeId, World } from './world.ts';

/** Long enough for some writes, short enough that nobody calls it an outage. */
const lagMs = 700;

/** Every link between a side and all others, both ways. */
export function around(world: World, side: readonly NodeId[]): readonly Link[] {
  const others = without(world.nodes, side);
  return [...links(side, others), ...links(others, side)];
}

/**
 * Cuts a node off until the others have let go of the log that it lacks, and lets it come back: whoever leads then has
 * to send it a snapshot.
 */
export async function fallBehind(world: World, node: NodeId): Promise<readonly NodeEffect[]> {
  const cut = await attempt(() => world.cut(around(world, [node])));
  await world.sleep(lagMs);
  const taken = await onEach(without(world.nodes, [node]), async (other) => power(world, 'takeSnapshot')(other));
  return [cut, ...taken, await attempt(() => world.cut([]))];
}
