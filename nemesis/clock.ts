import { oneOf, type Random } from './choice.ts';
import { anotherLeader } from './election.ts';
import {
  attempt,
  type Chosen,
  type FaultKind,
  type NodeEffect,
  onEach,
  type Situation,
  settingOf,
} from './fault-kind.ts';
import { links, primariesOrOne, someNodes, without } from './node-targets.ts';
import type { ClockFault, NodeId, Strobe, World } from './world.ts';

export const trueClock: ClockFault = { wallOffsetMs: 0, wallRate: 1, monotonicRate: 1 };

/** From less than an election timeout to more than any lease or time-to-live. */
const jumpsMs = [250, 2_000, 30_000, 600_000, 7_200_000] as const;
const strobesMs = [0, 20, 200] as const;
const strobeTimesMax = 8;
const rates = [0.5, 0.8, 1.25, 2] as const;
/**
 * By this a lease of half an election time-out lasts for five of them, and whoever leads takes four election time-outs to
 * notice that nobody follows. It still sends heartbeats often enough to lead.
 */
const slow: ClockFault = { wallOffsetMs: 0, wallRate: 0.1, monotonicRate: 0.25 };

/** Clocks that are wrong: wall time jumps or drifts; monotonic time, and with it every timer, runs fast or slow. */
export const clock: FaultKind = {
  domain: 'clock',
  variants: {
    'jump-forward': bend((random) => ({ ...trueClock, wallOffsetMs: oneOf(jumpsMs, random) })),
    'jump-back': bend((random) => ({ ...trueClock, wallOffsetMs: -oneOf(jumpsMs, random) })),
    drift: bend((random) => ({ ...trueClock, wallRate: oneOf(rates, random) })),
    /** To and fro, faster than anybody mends a clock (Jepsen's `strobe`). */
    strobe: ({ nodes, random }) => ({
      nodes: someNodes(nodes, 1 + random(nodes.length), random),
      setting: {
        type: 'strobe',
        strobe: {
          offsetMs: (random(2) === 0 ? 1 : -1) * oneOf(jumpsMs, random),
          everyMs: oneOf(strobesMs, random),
          times: 2 + random(strobeTimesMax - 1),
        },
      },
    }),
    rate: bend((random) => ({ ...trueClock, monotonicRate: oneOf(rates, random) })),
    /**
     * Whoever leads has clocks that hardly move, and is then cut off: what it believes to have been promised for a while,
     * as a lease, it believes long after the others have elected another (tikv#964), and leads on.
     */
    'drift-then-partition'(situation) {
      const nodes = primariesOrOne(situation);
      const others = without(situation.nodes, nodes);
      if (others.length === 0) return undefined;
      return {
        nodes,
        links: [...links(nodes, others), ...links(others, nodes)],
        setting: { type: 'clock', clock: slow },
      };
    },
  },
  async start(world, chosen) {
    const { nodes, links, setting } = chosen;
    if (setting?.type === 'strobe') return strobe(world, nodes, setting.strobe);
    const bent = await onEach(nodes, async (node) => world.setClock(node, settingOf(chosen, 'clock').clock));
    if (links === undefined) return bent;
    const cut = await attempt(() => world.cut(links));
    await anotherLeader(world, nodes);
    return [...bent, cut];
  },
  end: async (world, { nodes, links }) => [
    ...(links === undefined ? [] : [await attempt(() => world.cut([]))]),
    ...(await onEach(nodes, (node) => world.setClock(node, trueClock))),
  ],
};

/** The same fault for some of the nodes: any number from one to all. */
function bend(fault: (random: Random) => ClockFault): (situation: Situation) => Chosen {
  return ({ nodes, random }) => ({
    nodes: someNodes(nodes, 1 + random(nodes.length), random),
    setting: { type: 'clock', clock: fault(random) },
  });
}

async function strobe(world: World, nodes: readonly NodeId[], { offsetMs, everyMs, times }: Strobe) {
  const effects: NodeEffect[] = [];
  for (let done = 0; done < times; done++) {
    for (const clock of [{ ...trueClock, wallOffsetMs: offsetMs }, trueClock]) {
      effects.push(...(await onEach(nodes, (node) => world.setClock(node, clock))));
      await world.sleep(everyMs);
    }
  }
  return effects;
}
