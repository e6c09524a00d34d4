import { oneOf, shuffled } from './choice.ts';
import { attempt, type Chosen, type FaultKind, type NodeEffect, type Situation } from './fault-kind.ts';
import { around } from './lag.ts';
import { links, majoritySize, primariesOrOne, someNodes, without } from './node-targets.ts';
import { react, reactionTo } from './reaction.ts';
import type { Link, NodeId, Reaction, World } from './world.ts';

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
    /** Each new leader a moment after its election, again and again: who was cut off before comes back meanwhile. */
    'new-leaders': (situation) => reacting(situation, 'elected', { hits: 'node' }),
    /** The same, and it still hears what it was owed: answers to what it has sent arrive, nothing more goes out. */
    'silent-new-leaders': (situation) => reacting(situation, 'elected', { hits: 'node', silent: true }),
    /** A new leader and the first to have heard from it: entries that reach one follower only. */
    'first-appends': (situation) =>
      reacting(situation, 'first-append', { hits: oneOf(['node', 'both'], situation.random) }),
  },
  start: (world, { links = [], setting }) =>
    setting?.type === 'reaction' ? cutAtMoments(world, setting.reaction) : cut(world, links),
  end: (world) => cut(world, []),
};

/** From enough for a single surprise to enough for logs that differ at several terms. */
const timesMin = 2;
const timesMax = 6;

function reacting({ nodes, random }: Situation, moment: Reaction['moment'], how: Pick<Reaction, 'hits' | 'silent'>) {
  if (nodes.length < 3) return undefined;
  const times = timesMin + random(timesMax - timesMin + 1);
  return { nodes, setting: { type: 'reaction', reaction: reactionTo(moment, times, random, how) } } as const;
}

async function cutAtMoments(world: World, reaction: Reaction): Promise<readonly NodeEffect[]> {
  const isolate = (side: readonly NodeId[]): Promise<readonly NodeEffect[]> => {
    const out = links(side, without(world.nodes, side));
    return cut(world, reaction.silent === true ? out : around(world, side));
  };
  // Whoever leads now goes first: it is its absence that brings about an election.
  return react(world, reaction, async () => isolate(await world.primaries()), isolate);
}

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
