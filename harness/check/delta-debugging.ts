/**
 * Leaves out what can be spared: halves, quarters, … down to single items, again and again until nothing more goes
 * (Zeller & Hildebrandt, "Simplifying and isolating failure-inducing input", 2002).
 *
 * @param without what remains when some go, with whatever else has to go with them; undefined when they may not
 * @param holds whether what remains still shows what is wanted
 * @param signal ends it: what has been reached by then counts
 */
export async function leaveOut<Item>(
  items: readonly Item[],
  without: (items: readonly Item[], some: readonly Item[]) => readonly Item[] | undefined,
  holds: (items: readonly Item[]) => Promise<boolean>,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  let kept = items;
  let length = Math.ceil(kept.length / 2);
  while (kept.length > 0 && !signal.aborted) {
    const before = kept.length;
    for (let at = 0; at < kept.length && !signal.aborted; ) {
      const fewer = without(kept, kept.slice(at, at + length));
      if (fewer !== undefined && fewer.length < kept.length && (await holds(fewer))) kept = fewer;
      else at += length;
    }
    if (length > 1) length = Math.ceil(length / 2);
    else if (kept.length === before) break;
  }
  return kept;
}
