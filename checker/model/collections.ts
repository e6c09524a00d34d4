import { canonical } from '../history/events.ts';
import { HistoryError } from '../history/history-error.ts';
import type { Value } from '../history/op.ts';
import { sameValue } from '../history/value.ts';
import type { Model } from './model.ts';

type Elements = readonly Value[];

const json = (state: Elements): string => `it holds ${JSON.stringify(state)}`;

function listOf(value: Value | undefined): Elements {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value as Elements;
  throw new HistoryError(`not a list: ${JSON.stringify(value)}`);
}

/** In one order, each once: sets that are equal have the same text. */
function sorted(elements: Elements): Elements {
  const texts = new Map(elements.map((element) => [canonical(element), element]));
  return [...texts.keys()].sort().map((text) => texts.get(text)!);
}

/**
 * A set. `add` and `remove` answer nothing; `contains` with an element answers true or false (or `[element, answer]`);
 * `read` answers all elements, in any order.
 */
export const set: Model<Elements> = {
  name: 'set',
  functions: ['add', 'remove', 'contains', 'read'],
  blind: ['add', 'remove'],
  init: (initial) => sorted(listOf(initial)),
  step(state, { f, argument, result, outcome }) {
    if (f === 'add') return [sorted([...state, argument])];
    if (f === 'remove') return [state.filter((element) => !sameValue(element, argument))];
    if (outcome === 'unknown') return [state];
    if (f === 'read') return canonical(sorted(listOf(result))) === canonical(state) ? [state] : [];
    const answer = Array.isArray(result) ? (result[1] as Value) : result;
    return state.some((element) => sameValue(element, argument)) === answer ? [state] : [];
  },
  observes: ({ f }) => f === 'read' || f === 'contains',
  describe: json,
};

/** A number. `add` a delta (or `increment`, `decrement` by the value or 1); `read` answers the number. */
export const counter: Model<number> = {
  name: 'counter',
  functions: ['add', 'increment', 'decrement', 'read'],
  blind: ['add', 'increment', 'decrement'],
  init: (initial) => (typeof initial === 'number' ? initial : 0),
  step(state, { f, argument, result, outcome }) {
    if (f === 'read') return outcome === 'unknown' || result === state ? [state] : [];
    const delta = typeof argument === 'number' ? argument : f === 'add' ? Number.NaN : 1;
    if (Number.isNaN(delta)) throw new HistoryError(`cannot add ${JSON.stringify(argument)}`);
    return [f === 'decrement' ? state - delta : state + delta];
  },
  observes: ({ f, argument }) => f === 'read' || argument === 0,
  describe: (state) => `the counter is ${state}`,
};

/** What is taken out: whatever was answered, or (`empty`) nothing. */
function takes(
  state: Elements,
  result: Value | undefined,
  outcome: string,
  candidates: readonly number[],
): readonly Elements[] {
  if (outcome === 'refused' || (outcome === 'ok' && (result ?? null) === null))
    return state.length === 0 ? [state] : [];
  if (outcome === 'unknown' && state.length === 0) return [state];
  return candidates
    .filter((at) => outcome === 'unknown' || sameValue(state[at]!, result ?? null))
    .map((at) => state.toSpliced(at, 1));
}

function emptied({ f, result, outcome }: { f: string; result: Value | undefined; outcome: string }): boolean {
  return (f === 'dequeue' || f === 'pop') && (outcome === 'refused' || (outcome === 'ok' && (result ?? null) === null));
}

/** First in, first out: `enqueue`, and `dequeue`, which answers the element; null or the error `empty` when none. */
export const fifoQueue: Model<Elements> = {
  name: 'fifo-queue',
  functions: ['enqueue', 'dequeue'],
  blind: ['enqueue'],
  refusals: ['empty'],
  init: listOf,
  step(state, { f, argument, result, outcome }) {
    return f === 'enqueue' ? [[...state, argument]] : takes(state, result, outcome, state.length === 0 ? [] : [0]);
  },
  observes: emptied,
  describe: json,
};

/** As `fifoQueue`, but `dequeue` may take any element. */
export const unorderedQueue: Model<Elements> = {
  name: 'unordered-queue',
  functions: ['enqueue', 'dequeue'],
  blind: ['enqueue'],
  refusals: ['empty'],
  init: (initial) => sortedBag(listOf(initial)),
  step(state, { f, argument, result, outcome }) {
    if (f === 'enqueue') return [sortedBag([...state, argument])];
    const taken = takes(state, result, outcome, [...state.keys()]);
    return outcome === 'ok' ? taken.slice(0, 1) : taken;
  },
  observes: emptied,
  describe: json,
};

function sortedBag(elements: Elements): Elements {
  return elements
    .map((element) => [canonical(element), element] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, element]) => element);
}

/** Last in, first out: `push`, and `pop`, which answers the element; null or the error `empty` when none. */
export const stack: Model<Elements> = {
  name: 'stack',
  functions: ['push', 'pop'],
  blind: ['push'],
  refusals: ['empty'],
  init: listOf,
  step(state, { f, argument, result, outcome }) {
    return f === 'push'
      ? [[...state, argument]]
      : takes(state, result, outcome, state.length === 0 ? [] : [state.length - 1]);
  },
  observes: emptied,
  describe: json,
};

/**
 * A lock that knows its owner: `acquire` when nobody holds it, `release` by the process that does. A process that
 * crashed while it may hold the lock never comes back: its lock stays held.
 */
export const mutex: Model<number | null> = {
  name: 'mutex',
  functions: ['acquire', 'release'],
  ownerAware: true,
  init: () => null,
  step(state, { f, process, outcome }) {
    if (f === 'acquire' ? state === null : state === process) return [f === 'acquire' ? process : null];
    return outcome === 'unknown' ? [state] : [];
  },
  describe: (state) => (state === null ? 'the lock is free' : `process ${state} holds the lock`),
};
