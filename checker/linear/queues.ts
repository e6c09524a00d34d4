import { OPEN } from '../history/calls.ts';
import { containerOf, type Element, inOrder, type Suspects, seenEmpty, takenFrom } from './elements.ts';
import type { Call } from './search-calls.ts';

/** A queue without order: each element for itself (Lee & Mathur, OOPSLA 2025), and the calls that found it empty. */
export function checkBag(calls: readonly Call[]): Suspects {
  const found = containerOf(calls);
  if (found === undefined || 'suspects' in found) return found;
  const { elements, empties, unknownTakes } = found;
  // Which elements were taken unseen, so that it was empty, is a choice: for the search.
  if (empties.length > 0 && unknownTakes.length > 0) return undefined;
  return { suspects: seenEmpty(elements, empties) };
}

/**
 * A first-in-first-out queue (the bad patterns of Henzinger, Sezgin & Vafeiadis, CONCUR 2013, and of Bouajjani et
 * al., ICALP 2015): beyond what holds for every queue, no element overtakes another that was surely put in before
 * it, and it is empty when it is found so. Calls of unknown outcome take what else would have been overtaken.
 */
export function checkFifo(calls: readonly Call[]): Suspects {
  const found = containerOf(calls);
  if (found === undefined || 'suspects' in found) return found;
  const { empties, unknownTakes } = found;
  if (empties.length > 0 && unknownTakes.length > 0) return undefined;
  const served = serve(found.elements, unknownTakes);
  if ('suspects' in served) return served;
  const { elements } = served;
  const overtaken = overtaking(elements);
  if (overtaken === undefined) return { suspects: seenEmpty(elements, empties) };
  return { suspects: inOrder([...overtaken.flatMap(({ put, take }) => [put, take]), ...unknownTakes]) };
}

/** Two elements of which the second was surely put in after the first, and taken before it. */
function overtaking(elements: readonly Element[]): readonly [Element, Element] | undefined {
  const byPutEnd = elements.toSorted((a, b) => a.put.complete - b.put.complete);
  const byPutStart = elements.toSorted((a, b) => a.put.invoke - b.put.invoke);
  let last: Element | undefined;
  let next = 0;
  // Of all elements surely put in before this one, the one that is taken last decides.
  for (const element of byPutStart) {
    while (next < byPutEnd.length && byPutEnd[next]!.put.complete < element.put.invoke) {
      const before = byPutEnd[next++]!;
      if (last === undefined || takenFrom(before) > takenFrom(last)) last = before;
    }
    if (last === undefined || element.take === undefined || element.take.complete > takenFrom(last)) continue;
    return [last, element];
  }
  return undefined;
}

/**
 * Gives each element that nobody took, though one put in after it was taken, to a take of unknown outcome: it must
 * have begun before the other had been taken. Matched in order of these times, which is best for all.
 */
function serve(
  elements: readonly Element[],
  unknownTakes: readonly Call[],
): { readonly elements: readonly Element[] } | { readonly suspects: readonly Call[] } {
  if (unknownTakes.length === 0) return { elements };
  const waiting = elements.filter(({ take }) => take === undefined).sort((a, b) => b.put.complete - a.put.complete);
  const taken = elements.filter(({ take }) => take !== undefined).sort((a, b) => b.put.invoke - a.put.invoke);
  const due: { readonly element: Element; readonly before: Element }[] = [];
  let first: Element | undefined;
  let next = 0;
  for (const element of waiting) {
    for (; next < taken.length && taken[next]!.put.invoke > element.put.complete; next++) {
      if (first === undefined || taken[next]!.take!.complete < first.take!.complete) first = taken[next]!;
    }
    if (first !== undefined) due.push({ element, before: first });
  }
  due.sort((a, b) => a.before.take!.complete - b.before.take!.complete);
  const given = new Map<Element, Call>();
  for (const [at, { element, before }] of due.entries()) {
    const take = unknownTakes[at];
    if (take === undefined || take.invoke > before.take!.complete) {
      const some = due.slice(0, at + 1).flatMap((one) => [one.element.put, one.before.put, one.before.take]);
      return { suspects: inOrder([...some, ...unknownTakes]) };
    }
    given.set(element, { ...take, complete: OPEN });
  }
  return { elements: elements.map((element) => ({ put: element.put, take: given.get(element) ?? element.take })) };
}
