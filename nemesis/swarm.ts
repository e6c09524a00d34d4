import { oneOf, type Random } from './choice.ts';

/** What is done for some time. */
export interface Swarm {
  readonly kinds: readonly string[];
  readonly intervalMs: number;
  /** How long a fault lasts, in intervals. */
  readonly durations: readonly number[];
}

/**
 * How likely a kind is to be drawn, compared with one that is not named here (1). What changes leaders, members and
 * snapshots is where protocols go wrong.
 */
const odds: { readonly [kind: string]: number } = {
  moments: 8,
  partition: 5,
  members: 5,
  kill: 4,
  elections: 3,
  'power-loss': 3,
  transfer: 4,
  snapshots: 3,
  duplicate: 3,
  pause: 2,
  clock: 2,
  reorder: 2,
};

/** How many at a time: one alone shows what another would cover up again; more would leave each too few turns. */
const kindCounts = [1, 1, 2, 2, 3, 4] as const;

/** This kind is alone in one of so many: its stories take their time, and what else happens gets in their way. */
const stories = 'moments';
const storiesOneIn = 4;

/** Brief ones alone; some that overlap the next; some that outlast whatever a protocol does to bear them. */
const durations: readonly [readonly number[], ...(readonly number[])[]] = [
  [0.5, 1.5],
  [0.5, 1.5, 4],
  [1.5, 4],
];

/**
 * Draws a few kinds of faults and their pace, so that over many draws every small set of kinds has its turn; all kinds
 * all the time would keep some from ever showing (Groce et al., Swarm Testing, ISSTA 2012).
 * @param kinds at least one, of which at least one is drawn. @param intervalsMs the paces to draw from
 */
export function drawSwarm(
  kinds: readonly string[],
  intervalsMs: readonly [number, ...number[]],
  random: Random,
): Swarm {
  const count = Math.min(oneOf(kindCounts, random), kinds.length);
  const drawn = {
    kinds: drawKinds(kinds, count, random),
    intervalMs: oneOf(intervalsMs, random),
    durations: oneOf(durations, random),
  };
  const isOfStories = random(storiesOneIn) === 0 && kinds.includes(stories);
  return isOfStories ? { kinds: [stories], intervalMs: Math.min(...intervalsMs), durations: durations[0] } : drawn;
}

/** So many different ones, each as likely as its odds are among those that are left. */
function drawKinds(kinds: readonly string[], count: number, random: Random): readonly string[] {
  let lots = kinds.flatMap((kind) => Array.from({ length: odds[kind] ?? 1 }, () => kind));
  return Array.from({ length: count }, () => {
    const drawn = lots[random(lots.length)]!;
    lots = lots.filter((kind) => kind !== drawn);
    return drawn;
  });
}

/** The same, fit for so short a run: each kind gets its turn, and no fault takes more than a third of it. */
export function within({ kinds, intervalMs, durations }: Swarm, timeLimitMs: number): Swarm {
  const fittingMs = fitting(intervalMs, kinds, timeLimitMs);
  const longest = timeLimitMs / 3 / fittingMs;
  return { kinds, intervalMs: fittingMs, durations: durations.map((duration) => Math.min(duration, longest)) };
}

/** Part of a run: its faults end with it, and what they broke is healed. */
export interface Phase extends Swarm {
  readonly lengthMs: number;
}

/** How many: each is a chance of its own; what shows only after a while needs the longest. */
const phaseCounts = [1, 2, 3, 4, 5, 6, 6] as const;
const phasesMax = 6;
/** Shorter ones would end before a fault that reacts to an election has come to anything. */
const phaseMinMs = 8000;

/**
 * Draws what a run does in a few parts of the same length, each with a swarm of its own: as many chances for a set of
 * kinds that shows something, and for what is only seen when all is healed. A short run has fewer of them.
 */
export function drawPhases(draw: () => Swarm, timeLimitMs: number, random: Random): readonly Phase[] {
  const count = Math.max(1, Math.min(oneOf(phaseCounts, random), Math.floor(timeLimitMs / phaseMinMs)));
  const lengthMs = Math.round(timeLimitMs / count);
  // Each draw happens whether or not there is time for it, so that another length leaves what is drawn after as it was.
  return Array.from({ length: phasesMax }, () => draw())
    .slice(0, count)
    .map((swarm) => ({ ...swarm, intervalMs: fitting(swarm.intervalMs, swarm.kinds, lengthMs), lengthMs }));
}

function fitting(intervalMs: number, kinds: readonly string[], lengthMs: number): number {
  return Math.min(intervalMs, Math.round(lengthMs / (kinds.length + 1)));
}
