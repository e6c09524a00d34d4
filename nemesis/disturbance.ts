import { oneOf, type Random } from './choice.ts';
import { attempt, type Chosen, type FaultKind } from './fault-kind.ts';
import { links, someNodes, without } from './node-targets.ts';
import type { Disturbance, NodeId, World } from './world.ts';

export const undisturbed: Disturbance = {
  delayMs: 0,
  jitterMs: 0,
  lossPercent: 0,
  duplicatePercent: 0,
  reorderPercent: 0,
};

/** From a slow network to one where elections time out. */
const latenciesMs = [20, 100, 400] as const;
const percents = [5, 20, 50] as const;

/** Networks that carry messages badly: by what they do to them. */
export const disturbances: { readonly [kind: string]: FaultKind } = {
  delay: disturbing((random) => ({ ...undisturbed, delayMs: oneOf(latenciesMs, random) })),
  jitter: disturbing((random) => ({ ...undisturbed, jitterMs: oneOf(latenciesMs, random) })),
  loss: disturbing((random) => ({ ...undisturbed, lossPercent: oneOf(percents, random) })),
  duplicate: disturbing((random) => ({ ...undisturbed, duplicatePercent: oneOf(percents, random) })),
  reorder: disturbing((random) => ({ ...undisturbed, reorderPercent: oneOf(percents, random) })),
  /** Connections that break, and may be made again at once. */
  reset: {
    variants: { one: around(undefined), all: everywhere(undefined) },
    start: async (world, { links = [] }) => [await attempt(async () => resetOf(world)(links))],
    end: async () => [],
  },
};

function disturbing(disturbance: (random: Random) => Disturbance): FaultKind {
  return {
    variants: { one: around(disturbance), all: everywhere(disturbance) },
    start: async (world, { links = [], disturbance = undisturbed }) => [
      await attempt(async () => disturbOf(world)(links, disturbance)),
    ],
    end: async (world) => [await attempt(async () => disturbOf(world)([], undisturbed))],
  };
}

type Choose = FaultKind['variants'][string];
type Draw = ((random: Random) => Disturbance) | undefined;

/** All links of one node. */
function around(disturbance: Draw): Choose {
  return ({ nodes, random }) => {
    const side = someNodes(nodes, 1, random);
    return between(side, without(nodes, side), disturbance?.(random));
  };
}

function everywhere(disturbance: Draw): Choose {
  return ({ nodes, random }) => between(nodes, nodes, disturbance?.(random));
}

function between(side: readonly NodeId[], others: readonly NodeId[], disturbance?: Disturbance): Chosen | undefined {
  const both = side === others ? links(side, others) : [...links(side, others), ...links(others, side)];
  return both.length === 0 ? undefined : { nodes: side, links: both, ...(disturbance && { disturbance }) };
}

function disturbOf(world: World): NonNullable<World['disturb']> {
  if (world.disturb === undefined) throw new Error('this world cannot disturb links');
  return world.disturb.bind(world);
}

function resetOf(world: World): NonNullable<World['reset']> {
  if (world.reset === undefined) throw new Error('this world cannot reset connections');
  return world.reset.bind(world);
}
