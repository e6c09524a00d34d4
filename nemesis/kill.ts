import { attempt, type FaultKind, type NodeEffect, onEach } from './fault-kind.ts';
import { nodeTargets, without } from './node-targets.ts';
import type { NodeId, World } from './world.ts';

/** How long an election may take that a killed leader brings about, and the next one. */
const electionMaxMs = 6000;
const lookEveryMs = 100;

const { one, majority, all, primaries } = nodeTargets;

/** Processes that end at once, with whatever was not yet durable, and are started again. */
export const kill: FaultKind = {
  variants: {
    one: one!,
    majority: majority!,
    all: all!,
    primaries: primaries!,
    /**
     * All that voted for a new leader, the moment it is elected and before it could say anything: if a vote was only
     * in memory it is gone now, and nothing in any log tells of the term (hashicorp/raft#661).
     */
    'voters-of-new-leader': ({ nodes }) =>
      nodes.length < 3 ? undefined : { nodes, setting: { type: 'moment', moment: 'elected' } },
  },
  start: (world, { nodes, setting }) =>
    setting?.type === 'moment' ? killVoters(world) : onEach(nodes, (node) => world.kill(node)),
  end: async (world, { nodes, setting }) => [
    ...(setting?.type === 'moment' ? [await attempt(() => world.cut([]))] : []),
    ...(await onEach(nodes, (node) => world.start(node))),
  ],
};

async function killVoters(world: World): Promise<readonly NodeEffect[]> {
  const led = await world.primaries();
  const cutOff = world.cutOffNextLeader?.(electionMaxMs);
  const effects = [...(await onEach(led, (node) => world.kill(node)))];
  const elected = await cutOff;
  if (elected === undefined) return effects;
  const voters = without(world.nodes, [elected.leader]);
  effects.push(...(await onEach(without(voters, led), (node) => world.kill(node))));
  // Started while the new leader is still cut off: they may elect another, and it must be in a later term.
  effects.push(...(await onEach(voters, (node) => world.start(node))), await elected.effect);
  await anotherLeader(world, elected.leader);
  return effects;
}

/** Waits, bounded, until the others have elected one of themselves. */
async function anotherLeader(world: World, cutOff: NodeId): Promise<void> {
  for (let waitedMs = 0; waitedMs < electionMaxMs; waitedMs += lookEveryMs) {
    if (without(await world.primaries(), [cutOff]).length > 0) return;
    await world.sleep(lookEveryMs);
  }
}
