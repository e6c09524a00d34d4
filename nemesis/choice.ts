/** A seeded integer in [0, bound). */
export type Random = (bound: number) => number;

/** A new array in random order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = random(last + 1);
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

/** One of at least one. */
export function oneOf<T>(items: readonly [T, ...T[]], random: Random): T {
  return items[random(items.length)] ?? items[0];
}

/**
 * Draws without end, in shuffled rounds: in any n draws each of k items comes at least ⌊n / k⌋ times, which
 * independent draws would not promise.
 */
export function* shuffledRounds<T>(items: readonly T[], random: Random): Generator<T, never> {
  if (items.length === 0) throw new RangeError('nothing to draw from');
  for (;;) yield* shuffled(items, random);
}
