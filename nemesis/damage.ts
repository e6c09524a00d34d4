import { type FaultKind, type NodeEffect, onEach, power, settingOf } from './fault-kind.ts';
import { everyNodeVotes } from './membership.ts';
import { majoritySize, someNodes } from './node-targets.ts';
import type { Damage, Effect, NodeId, World } from './world.ts';

/**
 * Files that are no longer what was written. What Raft survives of it, and so what these kinds keep to:
 * - One good copy of all that was acknowledged always exists: only a minority is harmed at a time, and it is whole
 *   again, or replaced, before the next.
 * - A node that lost what it had acknowledged must not come back as the member that acknowledged it: it would vote
 *   for a leader without those entries, or a second time in a term. So a harmed node must notice and refuse to start
 *   (naming file and offset), or mend itself from its own other copy (an older snapshot and a longer log). One that
 *   refused comes back as a new member; in a world that cannot change members, with all it had on disk before.
 * Old snapshots put back are harm of that kind: the log beside them is whole, and either reaches back to them or shows
 * that it does not. Never drawn, because nothing survives it: harm to a majority, an emptied disk under the old name, an
 * older log put under a node that has run since (it is whole, so that no node can notice), a disk that lies about its
 * syncs and loses power.
 */
export const corruption: FaultKind = {
  variants: {
    'log-flip': harm({ file: 'log', how: 'flip' }),
    'log-truncated': harm({ file: 'log', how: 'truncate' }),
    'log-misdirected': harm({ file: 'log', how: 'misdirect' }),
    'snapshot-flip': harm({ file: 'snapshot', how: 'flip' }),
    'snapshot-truncated': harm({ file: 'snapshot', how: 'truncate' }),
    'snapshot-misdirected': harm({ file: 'snapshot', how: 'misdirect' }),
    'snapshot-old': harm({ file: 'snapshot', how: 'old' }),
  },
  start: (world, chosen) =>
    onMinority(world, chosen.nodes, async (node) => {
      const damage = power(world, 'damage');
      const how = settingOf(chosen, 'damage').damage;
      // So that there is one to harm, and a newer one than any old one.
      if (how.file === 'snapshot') await world.takeSnapshot?.(node);
      await world.kill(node);
      const harmed = await damage(node, how);
      if (harmed.effect !== 'proven') return harmed;
      const started = await world.start(node);
      if (started.effect === 'ineffective') return started;
      return { ...harmed, proof: { ...harmed.proof, refused: started.proof.refused ?? null } };
    }),
  end: (world, chosen) => oneByOne(chosen.nodes, (node) => mended(world, node, settingOf(chosen, 'damage').damage)),
};

/** Machines that come back with nothing on their disks: as new members, since as the old ones they would have forgotten. */
export const reformat: FaultKind = {
  variants: {
    one: ({ nodes, random }) => (nodes.length < 3 ? undefined : { nodes: someNodes(nodes, 1, random) }),
    minority: minorityOf(undefined),
  },
  start: (world, { nodes }) =>
    onMinority(world, nodes, async (node) => {
      const wipe = power(world, 'wipe');
      // There must be a way back.
      for (const name of ['removeMember', 'addMember'] as const) power(world, name);
      await world.kill(node);
      return wipe(node);
    }),
  end: (world, { nodes }) => oneByOne(nodes, (node) => replaced(world, node)),
};

type Choose = FaultKind['variants'][string];

function harm(damage: Damage): Choose {
  return minorityOf(damage);
}

/** Any number of nodes that leaves a majority alone. */
function minorityOf(damage: Damage | undefined): Choose {
  return ({ nodes, random }) => {
    const most = nodes.length - majoritySize(nodes.length);
    if (most === 0) return undefined;
    const chosen = { nodes: someNodes(nodes, 1 + random(most), random) };
    return damage === undefined ? chosen : { ...chosen, setting: { type: 'damage', damage } };
  };
}

/** Harm for good: moot where a minority of the nodes may be most of those who vote. */
async function onMinority(
  world: World,
  nodes: readonly NodeId[],
  act: (node: NodeId) => Promise<Effect>,
): Promise<readonly NodeEffect[]> {
  if (await everyNodeVotes(world)) return onEach(nodes, act);
  const proof = { reason: 'not every node votes: these may be most of those who do' };
  return nodes.map((node) => ({ effect: 'moot', mechanism: 'none', proof, node }));
}

/** One after another: of each change of members a majority must know before the next. */
async function oneByOne(nodes: readonly NodeId[], act: (node: NodeId) => Promise<Effect>) {
  const effects = [];
  for (const node of nodes) effects.push(...(await onEach([node], act)));
  return effects;
}

async function mended(world: World, node: NodeId, { file }: Damage): Promise<Effect> {
  const started = await world.start(node);
  // Up already, or mended by itself.
  if (started.proof.refused === undefined) return started;
  if (world.wipe === undefined || world.removeMember === undefined || world.addMember === undefined) {
    const restored = await power(world, 'damage')(node, { file, how: 'restore' });
    return restored.effect === 'proven' ? world.start(node) : restored;
  }
  await world.wipe(node);
  return replaced(world, node);
}

async function replaced(world: World, node: NodeId): Promise<Effect> {
  const removed = await power(world, 'removeMember')(node);
  return removed.effect === 'proven' ? power(world, 'addMember')(node) : removed;
}
