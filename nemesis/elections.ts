import { attempt, type Chosen, type FaultKind, type NodeEffect, type Situation, settingOf } from './fault-kind.ts';
import { around } from './lag.ts';
import { links, without } from './node-targets.ts';
import { react, stepAt } from './reaction.ts';
import type { NodeId, Reaction, ReactionStep, World } from './world.ts';

/** From enough for a single surprise to enough for logs that differ at several terms. */
const timesMin = 2;
const timesMax = 6;
const figuresMax = 2;
const unheardMax = 2;

/**
 * Leaders that are cut off at moments of their elections, again and again: who was cut off before comes back meanwhile.
 * One that is only silent still hears what it is owed: answers to what it has sent arrive, nothing more goes out.
 */
export const elections: FaultKind = {
  domain: 'links',
  variants: {
    'new-leaders': (situation) => reacting(situation, () => stepAt('elected', situation.random, silence(situation))),
    /** A new leader, alone or with the first to have heard from it: entries that reach one follower only. */
    'first-appends': (situation) =>
      reacting(situation, () => {
        const hits = situation.random(2) === 0 ? 'node' : 'both';
        return stepAt('first-append', situation.random, { hits, ...silence(situation) });
      }),
    /**
     * The Raft paper's figure 8: leaders that are gone before anybody got their first entry, so that logs end in
     * different terms; then one that may have brought its old entries to a follower, and its new one to nobody.
     */
    'figure-8'({ nodes, random }) {
      if (nodes.length < 3) return undefined;
      const figure = (): readonly ReactionStep[] => [
        ...Array.from({ length: 1 + random(unheardMax) }, () => ({ ...stepAt('elected', random), afterMs: 0 })),
        stepAt('first-append', random, { silent: true }),
      ];
      return reactingBy(nodes, Array.from({ length: 1 + random(figuresMax) }, figure).flat());
    },
  },
  start: (world, chosen) => cutAtMoments(world, settingOf(chosen, 'reaction').reaction),
  end: async (world) => [await attempt(() => world.cut([]))],
};

function reacting({ nodes, random }: Situation, step: () => ReactionStep): Chosen | undefined {
  if (nodes.length < 3) return undefined;
  return reactingBy(nodes, Array.from({ length: timesMin + random(timesMax - timesMin + 1) }, step));
}

function reactingBy(nodes: readonly NodeId[], steps: readonly ReactionStep[]): Chosen {
  return { nodes, setting: { type: 'reaction', reaction: { steps } } };
}

function silence({ random }: Situation): Pick<ReactionStep, 'silent'> {
  return random(2) === 0 ? { silent: true } : {};
}

async function cutAtMoments(world: World, reaction: Reaction): Promise<readonly NodeEffect[]> {
  const isolate = async (side: readonly NodeId[], isSilent?: true): Promise<readonly NodeEffect[]> => {
    const cut = isSilent === true ? links(side, without(world.nodes, side)) : around(world, side);
    return [await attempt(() => world.cut(cut))];
  };
  // Whoever leads now goes first: it is its absence that brings about an election.
  const begin = async () => isolate(await world.primaries());
  return react(world, reaction, begin, (side, { silent }) => isolate(side, silent));
}
