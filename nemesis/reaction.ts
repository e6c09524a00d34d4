import { oneOf, type Random } from './choice.ts';
import { type Chosen, type NodeEffect, power } from './fault-kind.ts';
import { without } from './node-targets.ts';
import type { Happening, Moment, NodeId, Reaction, World } from './world.ts';

/** How long a moment is waited for; as long as an election may take that a fault brings about. */
const momentMaxMs = 6000;

/** From before anybody else knows to when all have heard: bugs live a message or a sync after the moment. */
const delaysMs = [0, 0, 0.3, 1, 3, 10, 25, 50] as const;

/** A reaction to so many moments of a kind, each a random little while after it. */
export function reactionTo(
  moment: Moment,
  times: number,
  random: Random,
  how: Partial<Pick<Reaction, 'hits' | 'silent'>> = {},
): Reaction {
  const afterMs = Array.from({ length: times }, () => oneOf(delaysMs, random));
  return { moment, afterMs, hits: 'node', ...how };
}

/** A world is not asked for variants that need more than it has, as moments to react to: the kind has others. */
export function isPossible(world: World, { setting }: Chosen): boolean {
  if (setting?.type === 'members') return setting.members.replaced.length === 0 || world.removeMember !== undefined;
  if (setting?.type !== 'reaction') return true;
  return world.next !== undefined && (world.takeSnapshot !== undefined || !isOfSnapshot(setting.reaction.moment));
}

export function isOfSnapshot(moment: Moment): boolean {
  return moment === 'snapshot-taken' || moment === 'snapshot-sent' || moment === 'snapshot-received';
}

/**
 * Waits for one moment after another and reacts to each; ends when one does not come. The next one is waited for from
 * before the reaction, which may bring it about.
 * @param begin sets the scene, when the first is waited for already
 */
export async function react(
  world: World,
  { moment, afterMs, hits }: Reaction,
  begin: () => Promise<readonly NodeEffect[]>,
  act: (nodes: readonly NodeId[]) => Promise<readonly NodeEffect[]>,
): Promise<readonly NodeEffect[]> {
  const next = power(world, 'next');
  let upcoming = next(moment, momentMaxMs);
  const effects = [begin()];
  for (const [at, delayMs] of afterMs.entries()) {
    const happening = await upcoming;
    if (happening === undefined) break;
    if (at + 1 < afterMs.length) upcoming = next(moment, momentMaxMs);
    if (delayMs > 0) await world.sleep(delayMs);
    effects.push(act(hit(world, happening, hits)));
  }
  return (await Promise.all(effects)).flat();
}

function hit({ nodes }: World, { node, peer = node }: Happening, hits: Reaction['hits']): readonly NodeId[] {
  if (hits === 'node') return [node];
  if (hits === 'others') return without(nodes, [node]);
  return hits === 'peer' || node === peer ? [peer] : [node, peer];
}
