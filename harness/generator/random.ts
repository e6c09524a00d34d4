import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Where every seeded decision of a run comes from. */
export interface Random {
  /** A uniformly distributed integer in [0, bound); `bound` is from 1 to 2^53 − 1. */
  below(bound: number): number;
}

/** Seeds are integers in [0, 2^32): what the generator takes, and short enough to read out. */
export const seedBound = 2 ** 32;

/**
 * A stream of its own for each purpose, so that one part of the harness drawing more or fewer numbers does not
 * change what another part draws from the same seed.
 */
export function seededRandom(seed: number, purpose: string): Random {
  const generator = xoroshiro128plus(mix(seed, purpose));
  return { below: (bound) => uniformInt(generator, 0, bound - 1) };
}

/** One of the items; there is at least one. */
export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** FNV-1a over the purpose's characters, started from the seed. */
function mix(seed: number, purpose: string): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let at = 0; at < purpose.length; at++) {
    hash = Math.imul(hash ^ purpose.charCodeAt(at), 0x01000193) >>> 0;
  }
  return hash;
}
