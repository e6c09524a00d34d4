import { oneOf, type Random } from './choice.ts';

/** What one run of many does. */
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
  partition: 5,
  elections: 4,
  kill: 4,
  'power-loss': 3,
  transfer: 3,
  members: 3,
  snapshots: 3,
  duplicate: 3,
  pause: 2,
  clock: 2,
  reorder: 2,
};

/** One alone shows what another would cover up again; more than these in one run would leave each too few turns. */
const kindsMax = 4;

/** Brief ones alone; some that overlap the next; some that outlast whatever a protocol does to bear them. */
const durations: readonly [readonly number[], ...(readonly number[])[]] = [
  [0.5, 1.5],
  [0.5, 1.5, 4],
  [1.5, 4],
];

/**
 * Draws a few kinds of faults and their pace, so that over many runs every small set of kinds has its turn; all kinds in
 * every run would keep some from ever showing (Groce et al., Swarm Testing, ISSTA 2012).
 * @param kinds at least one, of which at least one is drawn. @param intervalsMs the paces to draw from
 */
export function drawSwarm(
  kinds: readonly string[],
  intervalsMs: readonly [number, ...number[]],
  random: Random,
): Swarm {
  const lots = kinds.flatMap((kind) => Array.from({ length: odds[kind] ?? 1 }, () => kind));
  const count = Math.min(1 + random(kindsMax), kinds.length);
  const drawn = new Set<string>();
  while (drawn.size < count) drawn.add(lots[random(lots.length)]!);
  return { kinds: [...drawn], intervalMs: oneOf(intervalsMs, random), durations: oneOf(durations, random) };
}

/** The same, fit for so short a run: each kind gets its turn, and no fault takes more than a third of it. */
export function within({ kinds, intervalMs, durations }: Swarm, timeLimitMs: number): Swarm {
  const fittingMs = Math.min(intervalMs, Math.round(timeLimitMs / (kinds.length + 1)));
  const longest = timeLimitMs / 3 / fittingMs;
  return { kinds, intervalMs: fittingMs, durations: durations.map((duration) => Math.min(duration, longest)) };
}
