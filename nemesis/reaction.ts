import { oneOf, type Random } from './choice.ts';
import { type Chosen, type NodeEffect, power } from './fault-kind.ts';
import { without } from './node-targets.ts';
import type { Happening, Moment, NodeId, Reaction, ReactionStep, World } from './world.ts';

/** How long a moment is waited for; as long as an election may take that a fault brings about. */
const momentMaxMs = 4000;

/** From before anybody else knows to when all have heard: bugs live a message or a sync after the moment. */
const delaysMs = [0, 0, 0.3, 1, 3, 10, 30, 100] as const;

/** A step at such a moment, a random little while after it. */
export function stepAt(
  moment: Moment,
  random: Random,
  how: Partial<Pick<ReactionStep, 'hits' | 'act'>> = {},
): ReactionStep {
  return { moment, afterMs: oneOf(delaysMs, random), hits: 'node', ...how };
}

/** A world is not asked for variants that need more than it has, as moments to react to: the kind has others. */
export function isPossible(world: World, { setting }: Chosen): boolean {
  if (setting?.type === 'clock' && setting.clock.monotonicRate !== 1) return world.bendsWallClocksOnly !== true;
  if (setting?.type === 'members') return setting.members.replaced.length === 0 || world.removeMember !== undefined;
  if (setting?.type !== 'reaction') return true;
  const { reaction } = setting;
  const needsSnapshots = reaction.scene === 'lag' || isOfSnapshot(reaction);
  return (
    reaction.steps.every(({ moment }) => world.moments?.has(moment)) &&
    (world.takeSnapshot !== undefined || !needsSnapshots) &&
    (world.setVoters !== undefined || reaction.scene !== 'members') &&
    (world.losePower !== undefined || reaction.steps.every(({ act }) => act !== 'power-loss'))
  );
}

export function isOfSnapshot({ steps }: Reaction): boolean {
  return steps.some(
    ({ moment }) => moment === 'snapshot-taken' || moment === 'snapshot-sent' || moment === 'snapshot-received',
  );
}

/**
 * Waits for one moment after another and reacts to each; ends when one does not come. The next one is waited for from
 * before the reaction, which may bring it about.
 * @param begin sets the scene, when the first is waited for already
 */
export async function react(
  world: World,
  { steps }: Reaction,
  begin: () => Promise<readonly NodeEffect[]>,
  act: (nodes: readonly NodeId[], step: ReactionStep) => Promise<readonly NodeEffect[]>,
): Promise<readonly NodeEffect[]> {
  const next = power(world, 'next');
  const upcoming = (at: number) => {
    const step = steps[at];
    return step && next(step.moment, momentMaxMs);
  };
  let coming = upcoming(0);
  const effects = [begin()];
  for (const [at, step] of steps.entries()) {
    const happening = await coming;
    if (happening === undefined) break;
    coming = upcoming(at + 1);
    if (step.afterMs > 0) await world.sleep(step.afterMs);
    effects.push(act(hit(world, happening, step.hits), step));
  }
  return (await Promise.all(effects)).flat();
}

function hit({ nodes }: World, { node, peer = node }: Happening, hits: ReactionStep['hits']): readonly NodeId[] {
  if (hits === 'all') return nodes;
  if (hits === 'node') return [node];
  if (hits === 'others') return without(nodes, [node]);
  return hits === 'peer' || node === peer ? [peer] : [node, peer];
}
