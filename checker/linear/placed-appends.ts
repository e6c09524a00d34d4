import { canonical } from '../history/events.ts';
import type { Value } from '../history/op.ts';
import { sameValue } from '../history/value.ts';
import { keyValue } from '../model/kv.ts';
import type { Model } from '../model/model.ts';
import { pairOf } from '../model/register.ts';
import type { Call } from './search-calls.ts';

/** Append to exactly this list: `[the list before, the element]`. */
const APPEND_TO = 'append-to';
/** Append something that no answer shows. */
const APPEND_UNSEEN = 'append-unseen';

/** Every list that holds what no answer shows: no answer can tell one of them from another. */
const UNSEEN: Value = { unseen: true };

/**
 * The calls on one key of a key-value store that holds lists, with what all answers tell of appends. An element that
 * only one call can have put there was appended to what stands before it wherever an answer shows it (as Elle's
 * traces, Kingsbury & Alvaro, VLDB 2020, section 5.1); and lists that hold what no answer shows are all the same. So
 * there are not as many states as there are orders of appends that went on at the same time. Calls keep their places;
 * they are for `placedAppends`, and linearizable exactly when those given are. Undefined where it does not apply.
 */
export function placeAppends(calls: readonly Call[], initial: Value): readonly Call[] | undefined {
  const appends = new Map<string, number>();
  const places = new Map<string, readonly Value[]>();
  /** What may have come there in another way, or is expected there. */
  const elsewhere = new Set<string>();
  const held: Value[] = [initial];
  for (const { operation } of calls) {
    const { f, argument, result, outcome } = operation;
    if (f === 'append') {
      // Texts are appended to texts, which have no elements.
      if (typeof argument === 'string') return undefined;
      const name = canonical(argument);
      appends.set(name, (appends.get(name) ?? 0) + 1);
    } else if (f === 'put' || f === 'write') held.push(argument);
    else if (f === 'cas') held.push(...pairOf(operation));
    else if ((f === 'get' || f === 'read') && outcome === 'ok') {
      const list = elementsOf(result ?? null);
      for (const [at, element] of list.entries()) {
        const name = canonical(element);
        if (!places.has(name)) places.set(name, list.slice(0, at));
      }
    }
  }
  if (appends.size === 0 || !held.every((value) => value === null || Array.isArray(value))) return undefined;
  for (const value of held) for (const element of elementsOf(value)) elsewhere.add(canonical(element));
  return calls.map((call): Call => {
    const { argument, f } = call.operation;
    const name = canonical(argument);
    if (f !== 'append' || appends.get(name) !== 1 || elsewhere.has(name)) return call;
    const place = places.get(name);
    const placed =
      place === undefined ? { f: APPEND_UNSEEN, argument: null } : { f: APPEND_TO, argument: [place, argument] };
    return { ...call, operation: { ...call.operation, ...placed, result: undefined } };
  });
}

/** The model of what `placeAppends` makes. */
export const placedAppends: Model<Value> = {
  ...keyValue,
  step(state, operation) {
    const { f, argument, outcome } = operation;
    if (f === APPEND_UNSEEN) return [UNSEEN];
    if (f === APPEND_TO) {
      const [before = null, element = null] = elementsOf(argument);
      return state !== UNSEEN && sameValue(state ?? [], before) ? [[...elementsOf(before), element]] : [];
    }
    if (state !== UNSEEN || f === 'put' || f === 'write' || f === 'delete') return keyValue.step(state, operation);
    // Whatever it holds more, it is not what was read or expected.
    return f !== 'append' && outcome === 'ok' ? [] : [state];
  },
  identify: (state) => (state === UNSEEN ? 'unseen' : canonical(state)),
  describe: (state) => (state === UNSEEN ? 'the key holds a list with what nobody saw' : keyValue.describe!(state)),
};

function elementsOf(value: Value): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}
