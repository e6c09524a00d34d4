import { OPEN } from '../history/calls.ts';

const ABSENT = -1;

/**
 * Puts further calls into a linearization, each as early as real time and `place` allow, which is best for those
 * that come after.
 *
 * @param order the linearization, of numbers of calls
 * @param calls all of them, in order of invocation; those neither in `order` nor in `more` did not happen
 * @param more what to put in, in order of invocation
 * @param place gives the first place from `low` on that suits a call; place p is before `order[p]`
 */
export function insertCalls(
  order: readonly number[],
  calls: { readonly length: number; readonly invoke: Int32Array; readonly complete: Int32Array },
  more: readonly number[],
  place: (call: number, low: number) => number,
): number[] {
  const { length, invoke, complete } = calls;
  const places = new Int32Array(length).fill(ABSENT);
  const isMore = new Uint8Array(length);
  for (const [at, call] of order.entries()) places[call] = at;
  /** The first place of any call of the order from this one on. */
  const firstFrom = new Int32Array(length + 1).fill(order.length);
  for (let i = length - 1; i >= 0; i--) {
    firstFrom[i] = places[i] === ABSENT ? firstFrom[i + 1]! : Math.min(firstFrom[i + 1]!, places[i]!);
  }
  for (const call of more) isMore[call] = 1;
  const byEnd = Int32Array.from(calls.invoke.subarray(0, length).keys()).filter(
    (i) => complete[i] !== OPEN && (places[i] !== ABSENT || isMore[i] === 1),
  );
  byEnd.sort((a, b) => complete[a]! - complete[b]!);
  const before: number[][] = [];
  let ended = 0;
  let low = 0;
  for (const call of more) {
    for (; ended < byEnd.length && complete[byEnd[ended]!]! < invoke[call]!; ended++) {
      const other = byEnd[ended]!;
      low = Math.max(low, places[other]! + 1 - isMore[other]!);
    }
    let next = call + 1;
    for (let high = length; next < high; ) {
      const middle = (next + high) >>> 1;
      if (invoke[middle]! > complete[call]!) high = middle;
      else next = middle + 1;
    }
    const at = place(call, low);
    if (!(at <= firstFrom[next]!)) throw new Error(`invariant: call ${call} has a place in the linearization`);
    places[call] = at;
    const there = before[at];
    if (there === undefined) before[at] = [call];
    else there.push(call);
  }
  const whole: number[] = [];
  for (let at = 0; at <= order.length; at++) {
    for (const call of before[at] ?? []) whole.push(call);
    if (at < order.length) whole.push(order[at]!);
  }
  return whole;
}
