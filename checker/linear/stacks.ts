import { OPEN } from '../history/calls.ts';
import { containerOf, type Element, inOrder, type Suspects, seenEmpty, takenFrom } from './elements.ts';
import type { Call } from './search-calls.ts';

/** An element that is surely on the stack from `from`, when its push had completed, to `to`, when its pop began. */
interface Held {
  readonly element: Element;
  readonly from: number;
  readonly to: number;
  /** When its push began, and its pop had completed. */
  readonly pushed: number;
  readonly popped: number;
}

/**
 * A stack whose elements are pushed once each, in O(n (c + log n)) for c calls open at once. Derived here; tested
 * against the brute force; for others see Lee & Mathur (OOPSLA 2025) and Abdulla et al. (PLDI 2025).
 *
 * An element whose push and pop overlap can come and go in one instant, and hinders nobody. Every other one is surely
 * held for some time. An instant in which nothing is surely held parts the rest in two: what is held before it can
 * be gone by then, and what is held after it can come later. Where there is no such instant the stack is never empty,
 * so one element is at its bottom all the time: it can be pushed before any other must have been, and popped after
 * every other must still have been there. Whichever can be is as good as any other that can, as it hinders none of
 * the rest; without it they may fall in parts again.
 *
 * A pop of unknown outcome may have taken anything: that is for the search.
 */
export function checkStack(calls: readonly Call[]): Suspects {
  const found = containerOf(calls);
  if (found === undefined || 'suspects' in found) return found;
  const { elements, empties, unknownTakes } = found;
  if (unknownTakes.length > 0) return undefined;
  const held = elements
    .filter((element) => element.put.complete < takenFrom(element))
    .map(
      (element): Held => ({
        element,
        from: element.put.complete,
        to: takenFrom(element),
        pushed: element.put.invoke,
        // One that was never popped stays on after everything.
        popped: element.take === undefined ? OPEN + 1 : element.take.complete,
      }),
    )
    .sort((a, b) => a.from - b.from);
  const stuck = new Nesting(held).stuck();
  if (stuck === undefined) return { suspects: seenEmpty(elements, empties) };
  return { suspects: inOrder(stuck.flatMap(({ element: { put, take } }) => [put, take])) };
}

/** Takes elements away from the bottom, part by part; a part is a range of elements in order of `from`. */
class Nesting {
  readonly #held: readonly Held[];
  /** How many elements put in before are surely held at each `from`. */
  readonly #cover: Tree;
  /** Of those that are left: the first to have been pushed (`from`, `pushed`), the last to be popped (`to`). */
  readonly #from: Tree;
  readonly #pushed: Tree;
  readonly #to: Tree;

  constructor(held: readonly Held[]) {
    this.#held = held;
    const { length } = held;
    this.#cover = new Tree(length);
    this.#from = new Tree(length);
    this.#pushed = new Tree(length);
    this.#to = new Tree(length);
    for (const [at, { from, to, pushed }] of held.entries()) {
      this.#cover.add(at + 1, this.#endOf(at), 1);
      this.#from.set(at, from);
      this.#pushed.set(at, pushed);
      this.#to.set(at, -to);
    }
  }

  /** The elements of a part that has no bottom; undefined when all can be taken away. */
  stuck(): readonly Held[] | undefined {
    const parts: (readonly [number, number])[] = [[0, this.#held.length]];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      let [low] = part;
      const [, high] = part;
      while (low < high) {
        if (this.#from.get(low) === GONE) {
          low++;
          continue;
        }
        const gap = this.#cover.firstAtMost(low + 1, high, 0);
        if (gap < high) {
          parts.push([gap, high]);
          parts.push([low, gap]);
          break;
        }
        const bottom = this.#bottom(low, high);
        if (bottom === undefined) {
          return chainOf(this.#held.slice(low, high).filter((_, at) => this.#from.get(low + at) !== GONE));
        }
        this.#cover.add(bottom + 1, this.#endOf(bottom), -1);
        for (const tree of [this.#from, this.#pushed, this.#to]) tree.set(bottom, GONE);
      }
    }
    return undefined;
  }

  /** The first place whose `from` is after an element's time. */
  #endOf(at: number): number {
    const { to } = this.#held[at]!;
    let low = at + 1;
    for (let high = this.#held.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.#held[middle]!.from > to) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #bottom(low: number, high: number): number | undefined {
    const first = this.#from.least(low, high);
    const last = this.#to.least(low, high);
    const secondFrom = Math.min(this.#from.min(first + 1, high), Number.MAX_VALUE);
    const secondTo = -Math.min(this.#to.min(low, last), this.#to.min(last + 1, high));
    // Only what was open when the first push had completed can be under it.
    for (let at = low; ; at++) {
      at = this.#pushed.firstAtMost(at, high, secondFrom);
      if (at === high) return undefined;
      const { pushed, popped } = this.#held[at]!;
      const from = at === first ? secondFrom : this.#held[first]!.from;
      const to = at === last ? secondTo : this.#held[last]!.to;
      if (pushed < from && popped > to) return at;
    }
  }
}

const GONE = Number.POSITIVE_INFINITY;

/** Of elements in order of `from` without an instant between them: few that have none either, with the first and the last to go. */
function chainOf(held: readonly Held[]): readonly Held[] {
  const last = held.reduce((latest, one) => (one.to > latest.to ? one : latest));
  const chain: Held[] = [];
  let reach: Held | undefined;
  for (const one of held) {
    const end = chain.at(-1)?.to;
    if (reach !== undefined && (end === undefined || one.from > end)) chain.push(reach);
    if (reach === undefined || one.to > reach.to) reach = one;
  }
  return [...new Set([...chain, last])];
}

/** Numbers in a row, of which the least in a range is found, and ranges are added to, in logarithmic time. */
class Tree {
  readonly #size: number;
  readonly #mins: Float64Array;
  readonly #added: Float64Array;

  constructor(length: number) {
    this.#size = Math.max(1, 2 ** Math.ceil(Math.log2(Math.max(1, length))));
    this.#mins = new Float64Array(2 * this.#size);
    this.#added = new Float64Array(2 * this.#size);
  }

  get(at: number): number {
    return this.min(at, at + 1);
  }

  /** Not for a row that ranges were added to. */
  set(at: number, value: number): void {
    let node = this.#size + at;
    this.#mins[node] = value;
    for (node >>>= 1; node >= 1; node >>>= 1) this.#pull(node);
  }

  add(from: number, to: number, value: number): void {
    this.#add(1, 0, this.#size, from, to, value);
  }

  min(from: number, to: number): number {
    return this.#min(1, 0, this.#size, from, to);
  }

  /** Where the least of a range is. */
  least(from: number, to: number): number {
    return this.firstAtMost(from, to, this.min(from, to));
  }

  /** The first place of a range with at most this value; `to` when there is none. */
  firstAtMost(from: number, to: number, value: number): number {
    return this.#find(1, 0, this.#size, from, to, value);
  }

  #pull(node: number): void {
    this.#mins[node] = Math.min(this.#mins[2 * node]!, this.#mins[2 * node + 1]!) + this.#added[node]!;
  }

  #add(node: number, low: number, high: number, from: number, to: number, value: number): void {
    if (to <= low || high <= from) return;
    if (from <= low && high <= to) {
      this.#mins[node]! += value;
      this.#added[node]! += value;
      return;
    }
    const middle = (low + high) >>> 1;
    this.#add(2 * node, low, middle, from, to, value);
    this.#add(2 * node + 1, middle, high, from, to, value);
    this.#pull(node);
  }

  #min(node: number, low: number, high: number, from: number, to: number): number {
    if (to <= low || high <= from) return Number.POSITIVE_INFINITY;
    if (from <= low && high <= to) return this.#mins[node]!;
    const middle = (low + high) >>> 1;
    const least = Math.min(this.#min(2 * node, low, middle, from, to), this.#min(2 * node + 1, middle, high, from, to));
    return least + this.#added[node]!;
  }

  #find(node: number, low: number, high: number, from: number, to: number, value: number): number {
    if (to <= low || high <= from || this.#mins[node]! > value) return to;
    if (high - low === 1) return low;
    const middle = (low + high) >>> 1;
    const rest = value - this.#added[node]!;
    const found = this.#find(2 * node, low, middle, from, to, rest);
    return found < to ? found : this.#find(2 * node + 1, middle, high, from, to, rest);
  }
}
