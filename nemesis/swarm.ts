import { oneOf, type Random, shuffled } from './choice.ts';

/** How much faster or slower than asked for faults follow each other. */
const paces = [0.5, 1, 2] as const;

/** What one run of many does. */
export interface Swarm {
  readonly kinds: readonly string[];
  readonly intervalMs: number;
}

/**
 * Draws the kinds of faults and their pace: each kind is in it or not, so that over many runs every set of kinds has its
 * turn; all kinds in every run would keep some from ever showing (Groce et al., Swarm Testing, ISSTA 2012).
 * @param kinds at least one, of which at least one is drawn. @param intervalMs the pace that was asked for
 */
export function drawSwarm(kinds: readonly string[], intervalMs: number, random: Random): Swarm {
  const drawn = kinds.filter(() => random(2) === 0);
  return {
    kinds: drawn.length > 0 ? drawn : shuffled(kinds, random).slice(0, 1),
    intervalMs: Math.round(intervalMs * oneOf(paces, random)),
  };
}
