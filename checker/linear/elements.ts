import { OPEN } from '../history/calls.ts';
import { canonical } from '../history/events.ts';
import type { Value } from '../history/op.ts';
import type { Call } from './explain.ts';

/**
 * Near-linear paths for collections whose elements are put in once each. `undefined`: the history does not allow
 * it; else the calls that show that it is not linearizable, or none.
 */
export type Suspects = { readonly suspects: readonly Call[] | undefined } | undefined;

/** Everything that concerns one element of a queue. */
interface Element {
  put: Call | undefined;
  take: Call | undefined;
}

/**
 * The elements of a queue, when each was put in at most once and all that was taken is known. What holds for
 * queues of every order is looked at: an element is taken at most once, and not before it was put in.
 */
function elementsOf(calls: readonly Call[]): { readonly elements: readonly Element[] } | Suspects {
  const elements = new Map<string, Element>();
  let twice: Call | undefined;
  for (const call of calls) {
    const { f, argument, result, outcome } = call.operation;
    const isPut = f === 'enqueue';
    // Who took what is not known, or it was seen empty: that is for the search.
    if (!isPut && (outcome !== 'ok' || (result ?? null) === null)) return undefined;
    const text = canonical((isPut ? argument : result) ?? null);
    const element = elements.get(text) ?? { put: undefined, take: undefined };
    elements.set(text, element);
    if (isPut) {
      if (element.put !== undefined) return undefined;
      element.put = call;
    } else if (element.take === undefined) element.take = call;
    else twice ??= call;
  }
  if (twice !== undefined) {
    const text = canonical(twice.operation.result ?? null);
    const concerns = ({ operation: { f, argument, result } }: Call): boolean =>
      canonical((f === 'enqueue' ? argument : result) ?? null) === text;
    return { suspects: calls.filter(concerns) };
  }
  for (const { put, take } of elements.values()) {
    if (take === undefined) continue;
    if (put === undefined) return { suspects: [take] };
    if (take.complete < put.invoke) return { suspects: inOrder([put, take]) };
  }
  return { elements: [...elements.values()] };
}

function inOrder(calls: readonly (Call | undefined)[]): Call[] {
  return calls.filter((call) => call !== undefined).sort((a, b) => a.invoke - b.invoke);
}

/** A queue without order: each element for itself (Lee & Mathur, OOPSLA 2025). */
export function checkBag(calls: readonly Call[]): Suspects {
  const found = elementsOf(calls);
  return found === undefined || 'suspects' in found ? found : { suspects: undefined };
}

/**
 * A first-in-first-out queue (the bad patterns of Henzinger, Sezgin & Vafeiadis, CONCUR 2013, and of Bouajjani et
 * al., ICALP 2015): beyond what holds for every queue, no element overtakes another that was surely put in before
 * it. One sweep over the times: of all elements surely put in before this one, the one that is taken last decides.
 */
export function checkFifo(calls: readonly Call[]): Suspects {
  const found = elementsOf(calls);
  if (found === undefined || 'suspects' in found) return found;
  // Put in or not, nobody ever knew: it was not.
  const elements = found.elements.filter(({ put, take }) => take !== undefined || put?.complete !== OPEN);
  const takenFrom = (element: Element): number => element.take?.invoke ?? OPEN;
  const byPutEnd = elements.toSorted((a, b) => a.put!.complete - b.put!.complete);
  const byPutStart = elements.toSorted((a, b) => a.put!.invoke - b.put!.invoke);
  let last: Element | undefined;
  let next = 0;
  for (const element of byPutStart) {
    while (next < byPutEnd.length && byPutEnd[next]!.put!.complete < element.put!.invoke) {
      const before = byPutEnd[next++]!;
      if (last === undefined || takenFrom(before) > takenFrom(last)) last = before;
    }
    if (last === undefined || element.take === undefined || element.take.complete > takenFrom(last)) continue;
    return { suspects: inOrder([last.put, last.take, element.put, element.take]) };
  }
  return { suspects: undefined };
}

/**
 * A set to which each element is added once and that is read as a whole. Reads must grow: sorted by size, each
 * holds the one before. That puts every call into one of a row of blocks (the adds that one read sees and the one
 * before does not; the reads of one content; …), and the history is linearizable exactly when no call completes
 * before one of an earlier block is invoked. Linear in the elements that were read.
 */
export function checkSet(calls: readonly Call[], initial: readonly Value[]): Suspects {
  const adds = new Map<string, Call>();
  const reads: { readonly call: Call; readonly elements: Set<string> }[] = [];
  for (const call of calls) {
    const { f, argument, result, outcome } = call.operation;
    if (f === 'add') {
      const text = canonical(argument);
      if (adds.has(text)) return undefined;
      adds.set(text, call);
    } else if (f !== 'read') return undefined;
    else if (outcome === 'ok') {
      const list = result ?? [];
      if (!Array.isArray(list)) return undefined;
      reads.push({ call, elements: new Set((list as readonly Value[]).map(canonical)) });
    }
  }
  const given = new Set(initial.map(canonical));
  for (const text of given) if (adds.has(text)) return undefined;
  reads.sort((a, b) => a.elements.size - b.elements.size || a.call.invoke - b.call.invoke);
  /** The block of the reads that first hold each element. */
  const level = new Map<string, number>();
  for (const text of given) level.set(text, 0);
  const blocks: { readonly call: Call; readonly block: number }[] = [];
  const explain = (...some: readonly Call[]): Suspects => {
    const wanted = new Set(some);
    for (const { call, elements } of reads) {
      if (wanted.has(call)) for (const text of elements) if (adds.has(text)) wanted.add(adds.get(text)!);
    }
    return { suspects: inOrder([...wanted]) };
  };
  let held = given.size;
  let block = 0;
  let previous: Call | undefined;
  for (const { call, elements } of reads) {
    let known = 0;
    for (const text of elements) if (level.has(text)) known++;
    if (known !== held) return previous === undefined ? explain(call) : explain(previous, call);
    if (elements.size > held) {
      block += 2;
      for (const text of elements) {
        if (level.has(text)) continue;
        if (!adds.has(text)) return explain(call);
        level.set(text, block);
      }
      held = elements.size;
    }
    blocks.push({ call, block });
    previous = call;
  }
  for (const [text, call] of adds) {
    const seen = level.get(text);
    if (seen !== undefined) blocks.push({ call, block: seen - 1 });
    else if (call.complete !== OPEN) blocks.push({ call, block: block + 1 });
  }
  blocks.sort((a, b) => a.block - b.block);
  let latest: Call | undefined;
  for (let from = 0; from < blocks.length; ) {
    let to = from;
    for (; to < blocks.length && blocks[to]!.block === blocks[from]!.block; to++) {
      const { call } = blocks[to]!;
      if (latest === undefined || call.complete > latest.invoke) continue;
      // Two adds are only in different blocks because of a read that saw one and not the other.
      const seen = level.get(canonical(latest.operation.argument)) ?? OPEN;
      const between = blocks.find((one) => one.call.operation.f === 'read' && one.block === seen);
      const needed = latest.operation.f === 'add' && call.operation.f === 'add' && between !== undefined;
      return needed ? explain(latest, call, between.call) : explain(latest, call);
    }
    for (; from < to; from++) {
      const { call } = blocks[from]!;
      if (latest === undefined || call.invoke > latest.invoke) latest = call;
    }
  }
  return { suspects: undefined };
}
