import { OPEN } from '../history/calls.ts';
import { canonical } from '../history/events.ts';
import type { Value } from '../history/op.ts';
import { inOrder, type Suspects } from './elements.ts';
import type { Call } from './search-calls.ts';

/**
 * The calls on a set by the element that each is on, when none reads the whole: then the elements are objects of
 * their own (locality), each small. Undefined when some call does.
 */
export function byElement(calls: readonly Call[]): readonly (readonly Call[])[] | undefined {
  const groups = new Map<string, Call[]>();
  for (const call of calls) {
    const { f, argument, outcome } = call.operation;
    if (f === 'read') {
      if (outcome === 'ok') return undefined;
      continue;
    }
    const text = canonical(argument);
    const group = groups.get(text);
    if (group === undefined) groups.set(text, [call]);
    else group.push(call);
  }
  return [...groups.values()];
}

/**
 * A set to which each element is added once and that is read as a whole. Reads must grow: sorted by size, each
 * holds the one before. That puts every call into one of a row of blocks (the adds that one read sees and the one
 * before does not; the reads of one content; …), and the history is linearizable exactly when no call completes
 * before one of an earlier block is invoked. Linear in the elements that were read. Where elements are removed too,
 * contents come again, and which of them a read saw is a question for the search.
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
