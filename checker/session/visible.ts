import type { Ref } from '../history/events.ts';
import type { Access, Sessions } from './sessions.ts';

/** Cells of all clocks together. */
const CELLS_MAX = 2 ** 26;

/** A write that an access must have seen, or come after. */
export interface Seen {
  readonly write: Access;
  readonly by: Access;
}

/**
 * Walks through a history and tells, for each read and each write, the last write of every session to its key that
 * must have been visible there if all four session guarantees hold (Terry et al., "Session guarantees for weakly
 * consistent replicated data", 1994): what its own session wrote and saw, and what had been visible where that was
 * written. Visible writes of a session are its first ones, so that a vector of their numbers stands for them.
 *
 * @param causal the accesses in causal order
 * @returns false when the history has too many sessions and writes for that
 */
export function eachVisible(
  { byProcess, all }: Sessions,
  causal: readonly Access[],
  visit: (seen: Seen) => void,
): boolean {
  const slots = new Map<number, number>();
  let writes = 0;
  for (const { isRead, process } of all) {
    if (isRead) continue;
    writes++;
    if (!slots.has(process)) slots.set(process, slots.size);
  }
  if (writes * slots.size > CELLS_MAX) return false;
  const clocks = new Map<number, Int32Array>();
  for (const process of byProcess.keys()) clocks.set(process, new Int32Array(slots.size));
  const clockOf = new Map<Access, Int32Array>();
  const writersOf = new Map<Ref, Map<number, Access[]>>();
  const look = (clock: Int32Array, by: Access): void => {
    for (const [process, list] of writersOf.get(by.key) ?? []) {
      const write = lastUntil(list, clock[slots.get(process)!]!);
      if (write !== undefined && write !== by && write !== by.from) visit({ write, by });
    }
  };
  for (const access of causal) {
    const clock = clocks.get(access.process)!;
    if (access.isRead) {
      const from = access.from === undefined ? undefined : clockOf.get(access.from);
      if (from !== undefined)
        for (let slot = 0; slot < clock.length; slot++) clock[slot] = Math.max(clock[slot]!, from[slot]!);
      look(clock, access);
      continue;
    }
    look(clock, access);
    const slot = slots.get(access.process)!;
    clock[slot] = access.writes;
    clockOf.set(access, clock.slice());
    const ofKey = writersOf.get(access.key) ?? new Map<number, Access[]>();
    writersOf.set(access.key, ofKey);
    const list = ofKey.get(access.process);
    if (list) list.push(access);
    else ofKey.set(access.process, [access]);
  }
  return true;
}

/** The last write whose number in its session is at most this. */
function lastUntil(list: readonly Access[], writes: number): Access | undefined {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.writes <= writes) low = middle + 1;
    else high = middle;
  }
  return list[low - 1];
}

/** Every access after what came before it in its session, and after the write that it saw; those on a cycle are not in it. */
export function causalOrder({ byProcess, all }: Sessions): readonly Access[] {
  const waitsFor = new Uint8Array(all.length);
  const readers: (Access[] | undefined)[] = [];
  for (const access of all) {
    waitsFor[access.id] = (access.place > 0 ? 1 : 0) + (access.from === undefined ? 0 : 1);
    if (access.from === undefined) continue;
    const list = readers[access.from.id];
    if (list) list.push(access);
    else readers[access.from.id] = [access];
  }
  const order = all.filter(({ id }) => waitsFor[id] === 0);
  // An array's iteration goes on over what is added to it.
  for (const access of order) {
    const next = byProcess.get(access.process)?.[access.place + 1];
    for (const after of [...(next === undefined ? [] : [next]), ...(readers[access.id] ?? [])]) {
      if (--waitsFor[after.id]! === 0) order.push(after);
    }
  }
  return order;
}
