import { OPEN } from '../history/calls.ts';
import { canonical } from '../history/events.ts';
import type { Call } from './search-calls.ts';

/**
 * What a near-linear path for collections says: `undefined` when the history does not allow it; else the calls that
 * show that it is not linearizable, or none.
 */
export type Suspects = { readonly suspects: readonly Call[] | undefined } | undefined;

/** Everything that concerns one element that was put in and perhaps taken out. */
export interface Element {
  readonly put: Call;
  readonly take: Call | undefined;
}

/** A history of a collection that elements are put into and taken out of, each put in at most once. */
export interface Container {
  readonly elements: readonly Element[];
  /** Calls that found it empty. */
  readonly empties: readonly Call[];
  /** Calls that may have taken anything. */
  readonly unknownTakes: readonly Call[];
}

/**
 * Sorts calls by element. What holds for every such collection is looked at: an element is taken at most once, and
 * not before it was put in. Elements whose put has an unknown outcome, and that nobody took, are left out: they were
 * not put in.
 */
export function containerOf(calls: readonly Call[]): Container | Suspects {
  const puts = new Map<string, Call>();
  const takes = new Map<string, Call>();
  const empties: Call[] = [];
  const unknownTakes: Call[] = [];
  let twice: string | undefined;
  for (const call of calls) {
    const { f, argument, result, outcome } = call.operation;
    if (f === 'enqueue' || f === 'push') {
      const text = canonical(argument);
      if (puts.has(text)) return undefined;
      puts.set(text, call);
    } else if (outcome === 'unknown') unknownTakes.push(call);
    else if ((result ?? null) === null) empties.push(call);
    else {
      const text = canonical(result ?? null);
      if (takes.has(text)) twice ??= text;
      takes.set(text, call);
    }
  }
  // An element that is null can not be told from none.
  if (puts.has('null')) return undefined;
  const suspect = (some: readonly (Call | undefined)[]): Suspects => ({
    suspects: inOrder([...some, ...unknownTakes]),
  });
  if (twice !== undefined) {
    const all = calls.filter(
      ({ operation: { outcome, result } }) => outcome === 'ok' && canonical(result ?? null) === twice,
    );
    return suspect([puts.get(twice), ...all]);
  }
  const elements: Element[] = [];
  for (const [text, take] of takes) {
    const put = puts.get(text);
    if (put === undefined || take.complete < put.invoke) return suspect([put, take]);
  }
  for (const [text, put] of puts) {
    const take = takes.get(text);
    if (take !== undefined || put.complete !== OPEN) elements.push({ put, take });
  }
  return { elements, empties, unknownTakes };
}

/** When nobody took it: after everything. */
export function takenFrom({ take }: Element): number {
  return take?.invoke ?? OPEN;
}

export function inOrder(calls: readonly (Call | undefined)[]): Call[] {
  const distinct = new Set(calls);
  distinct.delete(undefined);
  return ([...distinct] as Call[]).sort((a, b) => a.invoke - b.invoke);
}

/**
 * A call that found the collection empty needs an instant in which no element is surely in it: put in completely,
 * and its taking not yet begun. Gives the first call that has none, with the elements that cover its time.
 */
export function seenEmpty(elements: readonly Element[], empties: readonly Call[]): readonly Call[] | undefined {
  const held = elements
    .filter((element) => element.put.complete < takenFrom(element))
    .sort((a, b) => a.put.complete - b.put.complete);
  const byInvoke = empties.toSorted((a, b) => a.invoke - b.invoke);
  let next = 0;
  let from = OPEN;
  let to = -1;
  for (const empty of byInvoke) {
    for (; next < held.length && held[next]!.put.complete < empty.invoke; next++) {
      const element = held[next]!;
      if (element.put.complete > to) from = element.put.complete;
      to = Math.max(to, takenFrom(element));
    }
    if (from > empty.invoke || to < empty.invoke) continue;
    // On from here the cover may be made of elements put in during the call.
    let end = to;
    for (let at = next; at < held.length && end < empty.complete && held[at]!.put.complete < end; at++) {
      end = Math.max(end, takenFrom(held[at]!));
    }
    if (end < empty.complete) continue;
    const during = held.filter((one) => one.put.complete < empty.complete && takenFrom(one) > empty.invoke);
    return inOrder([empty, ...during.flatMap(({ put, take }) => [put, take])]);
  }
  return undefined;
}
