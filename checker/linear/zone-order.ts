import { OPEN } from '../history/calls.ts';
import { type Clusters, NONE } from './clusters.ts';
import { insertCalls } from './insert-calls.ts';
import { CAS, MISMATCH, type RegisterCalls, WRITE } from './register-calls.ts';

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
  const { kind, first, second, initial } = calls;
  const count = order.length;
  /** The value before each place of the order, and the next place with another. */
  const value = new Int32Array(count + 1).fill(initial);
  const change = new Int32Array(count + 1);
  for (let at = 1; at <= count; at++) {
    const call = order[at - 1]!;
    const k = kind[call];
    value[at] = k === WRITE ? first[call]! : k === CAS ? second[call]! : value[at - 1]!;
  }
  change[count] = count + 1;
  for (let at = count - 1; at >= 0; at--) change[at] = value[at] === value[at + 1] ? change[at + 1]! : at + 1;
  const more: number[] = [];
  for (let i = 0; i < calls.length; i++) if (kind[i] === MISMATCH && clusters.of[i] === NONE) more.push(i);
  return insertCalls(order, calls, more, (i, low) => (value[low] === first[i]! ? change[low]! : low));
}
