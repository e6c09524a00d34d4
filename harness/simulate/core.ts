import type { NodeId } from '../../nemesis/world.ts';

/** What the world knows of its nodes and links at a moment. */
export interface Health {
  readonly nodes: readonly NodeId[];
  /** It runs and is not paused. */
  isLive(node: NodeId): boolean;
  /** It is live, its clock goes right, its disk does its duty. */
  isSound(node: NodeId): boolean;
  isCut(from: NodeId, to: NodeId): boolean;
  isDisturbed(from: NodeId, to: NodeId): boolean;
}

/** What a node knows of who votes. */
interface Configuration {
  readonly voters: readonly number[];
  /** Of a joint configuration. */
  readonly votersOutgoing: readonly number[];
}

/**
 * Is a majority of all nodes one for a node with such a configuration? Not in a joint one, where a majority of those
 * that voted before must agree, too: nodes that were cut off before they heard of its end cannot elect without them.
 */
export function isEverybodyVoter({ voters, votersOutgoing }: Configuration, nodes: number): boolean {
  return voters.length === nodes && votersOutgoing.length === 0;
}

/**
 * The core of a cluster (`harness/runner/core-liveness.ts`): of the live nodes that hear each other both ways, directly
 * or through others, the majority that does; empty when one of them is not sound, or not connected well with all others.
 */
export function coreOf(health: Health): readonly NodeId[] {
  const { nodes } = health;
  const live = nodes.filter((node) => health.isLive(node));
  const isPair = (a: NodeId, b: NodeId) => !health.isCut(a, b) && !health.isCut(b, a);
  const isGood = (a: NodeId, b: NodeId) => isPair(a, b) && !health.isDisturbed(a, b) && !health.isDisturbed(b, a);
  for (const first of live) {
    const group = [first];
    for (const node of group) {
      for (const other of live) if (!group.includes(other) && isPair(node, other)) group.push(other);
    }
    if (group.length <= nodes.length / 2) continue;
    const isWhole = group.every(
      (node) => health.isSound(node) && group.every((other) => other === node || isGood(node, other)),
    );
    return isWhole ? group.sort() : [];
  }
  return [];
}
