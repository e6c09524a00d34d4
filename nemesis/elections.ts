import { attempt, type Chosen, type FaultKind, type NodeEffect, type Situation, settingOf } from './fault-kind.ts';
import { around } from './lag.ts';
import { links, without } from './node-targets.ts';
import { react, stepAt } from './reaction.ts';
import type { NodeId, Reaction, ReactionStep, World } from './world.ts';

/** From enough for a single surprise to enough for logs that differ at several terms. */
const timesMin = 2;
const timesMax = 6;

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

function silence({ random }: Situation): Pick<ReactionStep, 'act'> {
  return { act: random(2) === 0 ? 'silence' : 'cut' };
}

async function cutAtMoments(world: World, reaction: Reaction): Promise<readonly NodeEffect[]> {
  const isolate = async (side: readonly NodeId[], isSilent = false): Promise<readonly NodeEffect[]> => {
    const cut = isSilent ? links(side, without(world.nodes, side)) : around(world, side);
    return [await attempt(() => world.cut(cut))];
  };
  // Whoever leads now goes first: it is its absence that brings about an election.
  const begin = async () => isolate(await world.primaries());
  return react(world, reaction, begin, (side, { act }) => isolate(side, act === 'silence'));
}
