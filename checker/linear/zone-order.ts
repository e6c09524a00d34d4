import { OPEN } from '../history/calls.ts';
import { type Clusters, NONE } from './clusters.ts';
import { CAS, MISMATCH, NOTHING, type RegisterCalls, WRITE } from './register-calls.ts';

/**
 * A linearization of a register's calls that have no conflict: all that completed, and those of unknown outcome that
 * something observed.
 */
export function zoneOrder(calls: RegisterCalls, clusters: Clusters): number[] {
  const order = orderOfZones(calls, clusters);
  return clusters.mismatches ? withMismatches(calls, clusters, order) : order;
}

/** The chains by the starts of their zones; in a cluster its write first, then what observed it. */
function orderOfZones(calls: RegisterCalls, clusters: Clusters): number[] {
  const { length, invoke, complete, kind } = calls;
  const { of, after, swaps, count } = clusters;
  const blocks = new Map<number, number[]>();
  for (let i = 0; i < length; i++) {
    if (of[i] === NONE || !clusters.happened(calls, i)) continue;
    const root = clusters.rootOf(of[i]!);
    const block = blocks.get(root);
    if (block === undefined) blocks.set(root, [i]);
    else block.push(i);
  }
  const start = new Map<number, number>();
  for (const [root, block] of blocks) {
    let f = root === 0 ? NONE : OPEN;
    let s = NONE;
    for (const i of block) {
      f = Math.min(f, complete[i]!);
      s = Math.max(s, invoke[i]!);
    }
    start.set(root, Math.min(f, s));
  }
  const place = new Int32Array(count);
  for (const root of swaps ? blocks.keys() : []) {
    let at = 0;
    for (let id = root; id !== NONE; id = after[id]!) place[id] = at++;
  }
  const observes = (i: number): number => (kind[i] === WRITE || kind[i] === CAS ? 0 : 1);
  return [...blocks]
    .sort(([a], [b]) => start.get(a)! - start.get(b)!)
    .flatMap(([, block]) =>
      block.sort((a, b) => place[of[a]!]! - place[of[b]!]! || observes(a) - observes(b) || invoke[a]! - invoke[b]!),
    );
}

/**
 * Puts each failed cas that is of no cluster where the register does not hold what it expected and its interval
 * allows it; the first such place. There is one, as it would fit every linearization of these zones.
 */
function withMismatches(calls: RegisterCalls, clusters: Clusters, order: readonly number[]): number[] {
  const { length, kind, first, second, invoke, complete, initial } = calls;
  const count = order.length;
  /** The call that wrote the value before each place of the order, and the next place with another. */
  const value = new Int32Array(count + 1).fill(initial);
  const change = new Int32Array(count + 1);
  for (let at = 1; at <= count; at++) {
    const call = order[at - 1]!;
    const k = kind[call];
    value[at] = k === WRITE ? first[call]! : k === CAS ? second[call]! : value[at - 1]!;
  }
  change[count] = count + 1;
  for (let at = count - 1; at >= 0; at--) change[at] = value[at] === value[at + 1] ? change[at + 1]! : at + 1;
  const places = new Int32Array(length).fill(OPEN);
  for (const [at, call] of order.entries()) places[call] = at;
  /** The first place of any call from this one on. */
  const firstFrom = new Int32Array(length + 1).fill(count);
  for (let i = length - 1; i >= 0; i--) firstFrom[i] = Math.min(firstFrom[i + 1]!, places[i]!);
  const byEnd = Int32Array.from(calls.kind.keys()).filter((i) => kind[i] !== NOTHING && complete[i] !== OPEN);
  byEnd.sort((a, b) => complete[a]! - complete[b]!);
  const before: number[][] = [];
  let ended = 0;
  let low = 0;
  for (let i = 0; i < length; i++) {
    if (kind[i] !== MISMATCH || clusters.of[i] !== NONE) continue;
    for (; ended < byEnd.length && complete[byEnd[ended]!]! < invoke[i]!; ended++) {
      const other = byEnd[ended]!;
      const inOrder = kind[other] !== MISMATCH || clusters.of[other] !== NONE;
      low = Math.max(low, inOrder ? places[other]! + 1 : places[other]!);
    }
    let next = i + 1;
    for (let high = length; next < high; ) {
      const middle = (next + high) >>> 1;
      if (invoke[middle]! > complete[i]!) high = middle;
      else next = middle + 1;
    }
    const place = value[low] === first[i]! ? change[low]! : low;
    if (place > firstFrom[next]!)
      throw new Error('invariant: a failed cas that fits every linearization fits this one');
    places[i] = place;
    const there = before[place];
    if (there === undefined) before[place] = [i];
    else there.push(i);
  }
  const whole: number[] = [];
  for (let at = 0; at <= count; at++) {
    for (const i of before[at] ?? []) whole.push(i);
    if (at < count) whole.push(order[at]!);
  }
  return whole;
}
