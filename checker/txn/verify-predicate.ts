import type { History, Op, Value } from '../history/op.ts';

type Mop = readonly Value[];

/** What a key was at some time: who made it so, and its value; undefined when it was not born yet, or had died. */
interface State {
  readonly by: number | undefined;
  readonly value: Value | undefined;
}

/** An edge between the operations at two positions, because of a key. */
interface PredicateEdge {
  readonly from: number;
  readonly to: number;
  readonly kind: string;
  readonly key?: Value;
}

const same = (a: Value | undefined, b: Value | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);
const nameOf = (key: Value | undefined): string => (typeof key === 'string' ? key : JSON.stringify(key));
const mopsOf = ({ value }: Op): readonly Mop[] => (Array.isArray(value) ? (value as readonly Mop[]) : []);

/** Whether a history is one over a closed universe with predicate reads. */
export function hasPredicates(history: History): boolean {
  return history.some((op) => op.f === 'init' || mopsOf(op).some(([f]) => /^(rp|insert|delete)$/.test(String(f))));
}

/** What a key was, one state after the other. */
function statesOf(history: History, key: string): readonly State[] {
  const states: State[] = [];
  for (const [by, op] of history.entries()) {
    if (op.type !== 'ok' && op.type !== 'info') continue;
    if (op.f === 'init' && key in Object(op.value)) {
      states.push({ by, value: (op.value as { readonly [key: string]: Value })[key] });
    }
    for (const [f, k, v] of mopsOf(op)) {
      if (nameOf(k) !== key || f === 'r' || f === 'rp') continue;
      if (states.length === 0) states.push({ by: undefined, value: undefined });
      states.push({ by, value: f === 'delete' ? undefined : v });
    }
  }
  return states;
}

function matches(predicate: Value | undefined, { value }: State): boolean {
  if (value === undefined) return false;
  if (!Array.isArray(predicate)) return true;
  const [f, x, y] = predicate as readonly Value[];
  return f === '=' ? same(value, x) : ((Number(value) % Number(x)) + Number(x)) % Number(x) === y;
}

/** By whom a state that was seen had been made, and by whom those after it. */
interface Sight {
  readonly by: number | undefined;
  readonly predicate: Value | undefined;
  readonly state: State;
  readonly later: readonly State[];
}

/** What the reads of an operation must have seen of a key. */
function sightsOf(history: History, at: number, key: string): readonly Sight[] {
  const states = statesOf(history, key);
  const sight = (place: number, predicate?: Value): readonly Sight[] =>
    place < -1 || (place === -1 && predicate !== undefined)
      ? []
      : [
          {
            by: states[place]?.by,
            predicate,
            state: states[place] ?? { by: undefined, value: undefined },
            later: states.slice(place + 1),
          },
        ];
  return mopsOf(history[at]!).flatMap(([f, k, v]) => {
    if (f === 'rp') {
      const found = (v ?? {}) as { readonly [key: string]: Value };
      if (key in found)
        return sight(
          states.findIndex(({ value }) => same(value, found[key])),
          k,
        );
      const places = [...states.keys()].filter((place) => !matches(k, states[place]!));
      return places.length === 1 ? sight(places[0]!, k) : [];
    }
    if (f !== 'r' || nameOf(k) !== key) return [];
    if (v !== null && v !== undefined) return sight(states.findIndex(({ value }) => same(value, v)));
    const empty = [...states.keys()].filter((place) => states[place]!.value === undefined);
    // Either not born yet or dead: with both, nobody can tell.
    return empty.length > 1 ? [] : sight(empty[0] ?? -1);
  });
}

/** Whether an edge of a cycle over a closed universe follows from the history alone. */
export function predicateEdgeFollows(history: History, { from, to, kind, key }: PredicateEdge): boolean {
  const name = nameOf(key);
  if (kind === 'ww') return statesOf(history, name).some(({ by }, i, all) => by === from && all[i + 1]?.by === to);
  if (history[kind === 'wr' ? to : from]!.type !== 'ok') return false;
  return sightsOf(history, kind === 'wr' ? to : from, name).some(({ by, predicate, state, later }) => {
    if (kind === 'wr') return by === from;
    if (predicate === undefined) return kind === 'rw' && later[0]?.by === to;
    return (
      kind === 'rwp' && later.some((next) => next.by === to && matches(predicate, next) !== matches(predicate, state))
    );
  });
}

/** Whether a predicate read of the operation missed a key of which every state matched. */
export function missesPredicate(history: History, at: number, key: Value | undefined, predicate: Value): boolean {
  const read = mopsOf(history[at]!).find(([f, p]) => f === 'rp' && same(p, predicate));
  if (read === undefined || history[at]!.type !== 'ok' || nameOf(key) in Object(read[2])) return false;
  const states = statesOf(history, nameOf(key));
  return states.length > 0 && states.every((state) => matches(predicate, state));
}
