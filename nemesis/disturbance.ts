import { oneOf, type Random } from './choice.ts';
import { attempt, type Chosen, type FaultKind, power, settingOf } from './fault-kind.ts';
import { links, someNodes, without } from './node-targets.ts';
import type { Disturbance, NodeId } from './world.ts';

export const undisturbed: Disturbance = {
  delayMs: 0,
  jitterMs: 0,
  lossPercent: 0,
  duplicatePercent: 0,
  reorderPercent: 0,
  bytesPerS: 0,
};

/** From a slow network to one where elections time out. */
const latenciesMs = [20, 100, 400] as const;
const percents = [5, 20, 50] as const;
/** Bytes a second, all of them slower than a cluster under load talks: what has to wait in the end is refused room. */
const rates = [4_000, 10_000, 20_000] as const;
/** Up to all of them: to repeat a message harms nobody's progress. */
const repeats = [20, 50, 100] as const;

/** Networks that carry messages badly: by what they do to them. */
export const disturbances: { readonly [kind: string]: FaultKind } = {
  delay: disturbing((random) => ({ ...undisturbed, delayMs: oneOf(latenciesMs, random) })),
  jitter: disturbing((random) => ({ ...undisturbed, jitterMs: oneOf(latenciesMs, random) })),
  loss: disturbing((random) => ({ ...undisturbed, lossPercent: oneOf(percents, random) })),
  duplicate: disturbing((random) => ({ ...undisturbed, duplicatePercent: oneOf(repeats, random) })),
  reorder: disturbing((random) => ({ ...undisturbed, reorderPercent: oneOf(percents, random) })),
  /** Lines that carry less than there is to say. */
  'slow-link': disturbing((random) => ({ ...undisturbed, bytesPerS: oneOf(rates, random) })),
  /** Connections that break, and may be made again at once. */
  reset: {
    domain: 'traffic',
    variants: { one: around(undefined), all: everywhere(undefined) },
    start: async (world, { links = [] }) => [await attempt(async () => power(world, 'reset')(links))],
    end: async () => [],
  },
};

function disturbing(disturbance: (random: Random) => Disturbance): FaultKind {
  return {
    domain: 'traffic',
    variants: { one: around(disturbance), all: everywhere(disturbance) },
    start: async (world, chosen) => [
      await attempt(async () =>
        power(world, 'disturb')(chosen.links ?? [], settingOf(chosen, 'disturbance').disturbance),
      ),
    ],
    end: async (world) => [await attempt(async () => power(world, 'disturb')([], undisturbed))],
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
  if (both.length === 0) return undefined;
  return { nodes: side, links: both, ...(disturbance && { setting: { type: 'disturbance', disturbance } }) };
}
