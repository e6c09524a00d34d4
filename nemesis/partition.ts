import { shuffled } from './choice.ts';
import { attempt, type Chosen, type FaultKind, type NodeEffect } from './fault-kind.ts';
import { links, majoritySize, primariesOrOne, someNodes, without } from './node-targets.ts';
import type { Link, NodeId, World } from './world.ts';

/** Networks that fall apart, by Jepsen's names (its `nemesis.combined` and `nemesis` name the shapes). */
export const partition: FaultKind = {
  domain: 'links',
  variants: {
    halves({ nodes, random }) {
      const order = shuffled(nodes, random);
      return split(order.slice(0, Math.floor(nodes.length / 2)), nodes);
    },
    one: ({ nodes, random }) => split(someNodes(nodes, 1, random), nodes),
    'minority-third'({ nodes, random }) {
      return split(someNodes(nodes, Math.floor((nodes.length - 1) / 3), random), nodes);
    },
    primaries: (situation) => split(primariesOrOne(situation), situation.nodes),
    /** A leader that hears everybody and is heard by nobody: it commits what it has sent, and none of them learns of it. */
    'silent-primaries'(situation) {
      const side = primariesOrOne(situation);
      return chosen(side, links(side, without(situation.nodes, side)));
    },
    /** No part has a majority: nobody may be elected, nothing committed. Who leads is alone. */
    shattered(situation) {
      const { nodes, random } = situation;
      const led = primariesOrOne(situation).slice(0, 1);
      const others = shuffled(without(nodes, led), random);
      const size = Math.max(1, Math.min(majoritySize(nodes.length) - 1, Math.floor(others.length / 2)));
      const parts = [led, others.slice(0, size), others.slice(size)];
      return chosen(
        nodes,
        parts.flatMap((part) => links(part, without(nodes, part))),
      );
    },
    /** One side hears the other and is not heard by it. */
    'one-way'({ nodes, random }) {
      if (nodes.length < 2) return undefined;
      const side = someNodes(nodes, 1 + random(nodes.length - 1), random);
      const others = without(nodes, side);
      return chosen(side, random(2) === 0 ? links(side, others) : links(others, side));
    },
    /** A minority that hears nobody and is heard by all: what it asks for must not keep the others from their work. */
    deaf({ nodes, random }) {
      const side = someNodes(nodes, 1 + random(Math.max(1, nodes.length - majoritySize(nodes.length))), random);
      return chosen(side, links(without(nodes, side), side));
    },
    /** Two halves that only one node can see both of. */
    bridge({ nodes, random }) {
      const [between, ...rest] = shuffled(nodes, random);
      const half = rest.slice(0, Math.floor(rest.length / 2));
      return between === undefined ? undefined : split(half, rest);
    },
    /** Every node sees a majority, and no two see the same one. */
    'majorities-ring'({ nodes, random }) {
      const ring = shuffled(nodes, random);
      const reach = Math.floor(majoritySize(ring.length) / 2);
      const cut = ring.flatMap((from, at) =>
        ring.filter((_, other) => distance(at, other, ring.length) > reach).map((to) => ({ from, to })),
      );
      return chosen(nodes, cut);
    },
  },
  start: (world, { links = [] }) => cut(world, links),
  end: (world) => cut(world, []),
};

async function cut(world: World, links: readonly Link[]): Promise<readonly NodeEffect[]> {
  return [await attempt(() => world.cut(links))];
}

/** Steps between two places on a ring of that many. */
function distance(a: number, b: number, size: number): number {
  const steps = Math.abs(a - b);
  return Math.min(steps, size - steps);
}

/** Cuts a side from all others, both ways. */
function split(side: readonly NodeId[], nodes: readonly NodeId[]): Chosen | undefined {
  const others = without(nodes, side);
  return chosen(side, [...links(side, others), ...links(others, side)]);
}

function chosen(nodes: readonly NodeId[], links: readonly Link[]): Chosen | undefined {
  return links.length === 0 ? undefined : { nodes, links };
}
