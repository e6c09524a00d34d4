import { type Random, shuffled } from './choice.ts';
import type { FaultKind, Situation } from './fault-kind.ts';
import type { Link, NodeId, Setting } from './world.ts';

/** The least number of nodes that is more than half. */
export function majoritySize(nodes: number): number {
  return Math.floor(nodes / 2) + 1;
}

export function someNodes(nodes: readonly NodeId[], count: number, random: Random): readonly NodeId[] {
  return shuffled(nodes, random).slice(0, count);
}

/** Jepsen's targets, for faults of whole nodes. */
export const nodeTargets: FaultKind['variants'] = {
  one: ({ nodes, random }) => ({ nodes: someNodes(nodes, 1, random) }),
  minority({ nodes, random }) {
    const count = nodes.length - majoritySize(nodes.length);
    return count === 0 ? undefined : { nodes: someNodes(nodes, count, random) };
  },
  majority: ({ nodes, random }) => ({ nodes: someNodes(nodes, majoritySize(nodes.length), random) }),
  all: ({ nodes }) => ({ nodes }),
  primaries: (situation) => ({ nodes: primariesOrOne(situation) }),
};

/** The same targets for a fault that has something more to say. */
export function nodeTargetsWith(setting: (random: Random) => Setting): FaultKind['variants'] {
  const variants = Object.entries(nodeTargets).map(([variant, choose]) => {
    const hit: typeof choose = (situation) => {
      const chosen = choose(situation);
      return chosen && { ...chosen, setting: setting(situation.random) };
    };
    return [variant, hit] as const;
  });
  return Object.fromEntries(variants);
}

/** Whoever leads; when nobody says so at this moment, any one node. */
export function primariesOrOne({ nodes, primaries, random }: Situation): readonly NodeId[] {
  return primaries.length > 0 ? primaries : someNodes(nodes, 1, random);
}

/** From each sender to each other receiver. */
export function links(senders: readonly NodeId[], receivers: readonly NodeId[]): readonly Link[] {
  return senders.flatMap((from) => receivers.filter((to) => to !== from).map((to) => ({ from, to })));
}

export function without(nodes: readonly NodeId[], side: readonly NodeId[]): readonly NodeId[] {
  return nodes.filter((node) => !side.includes(node));
}
