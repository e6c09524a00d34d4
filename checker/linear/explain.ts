import { mayLeaveOut } from '../certificate.ts';
import { OPEN } from '../history/calls.ts';
import type { Value } from '../history/op.ts';
import { keyValue } from '../model/kv.ts';
import type { Model, Operation } from '../model/model.ts';
import { Transitions } from '../model/transitions.ts';
import { PlacedSearch } from './placed-search.ts';
import type { Prefix } from './problem.ts';
import { Search } from './search.ts';
import { type Call, searchCalls } from './search-calls.ts';

export interface Counterexample {
  /** In order of invocation; not linearizable, on their own or as part of the history. */
  readonly calls: readonly Call[];
  /** Whether no call can be left out any more. False when the bound on tries was reached. */
  readonly minimal: boolean;
  /** The longest prefixes of linearizations of `calls`, in words. */
  readonly prefixes: readonly Value[];
}

const TRIES_MAX = 400;
const CONFIGURATIONS_MAX = 100_000;
const PREFIXES_MAX = 3;

/**
 * Shrinks calls that are not linearizable to few that are not, leaving out only what may be left out
 * (`mayLeaveOut`), by halves, quarters … and at last one by one; every step is checked by the search. What remains
 * is not linearizable, and its being part of the history makes the history not linearizable.
 */
export function shrink(
  model: Model<unknown>,
  initial: unknown,
  calls: readonly Call[],
  expired: () => boolean,
): Counterexample {
  const transitions = new Transitions(model);
  const start = transitions.state(initial);
  const bounds = { configurationsMax: CONFIGURATIONS_MAX, expired };
  const search = new Search(transitions, bounds, false);
  const placed = model === keyValue ? new PlacedSearch(initial as Value, bounds, false) : undefined;
  let tries = 0;
  let kept = calls;
  const stillFails = (fewer: readonly Call[]): boolean => {
    tries++;
    const ahead = placed?.run(fewer);
    const result = ahead ?? searchCalls(search, transitions, start, fewer);
    if (result.valid !== false) return false;
    // What came after the completion that nothing reaches is not needed; what was open then is open for ever. But a
    // search that knows what later answers show stops before them.
    kept = ahead === undefined ? cut(model, fewer, fewer[result.call]!.complete) : fewer;
    return true;
  };
  stillFails(kept);
  let size = Math.max(1, kept.length >> 1);
  let minimal = false;
  while (tries < TRIES_MAX && !expired()) {
    let smaller = false;
    for (let from = kept.length - size; from > -size && tries < TRIES_MAX; from -= size) {
      const low = Math.max(0, from);
      if (low >= kept.length) continue;
      const fewer = without(model, kept, low, Math.min(kept.length, from + size));
      if (fewer !== undefined && stillFails(fewer)) smaller = true;
    }
    if (size === 1 && !smaller) {
      minimal = tries < TRIES_MAX;
      break;
    }
    size = smaller ? Math.min(size, Math.max(1, kept.length >> 1)) : Math.max(1, size >> 1);
  }
  let failure = searchCalls(search, transitions, start, kept);
  if (failure.valid === false) {
    kept = cut(model, kept, kept[failure.call]!.complete);
    failure = searchCalls(search, transitions, start, kept);
  }
  return {
    calls: kept,
    minimal,
    prefixes: failure.valid === false ? describePrefixes(transitions, kept, failure.prefixes) : [],
  };
}

/** The calls up to an event. What had not completed then need not have happened; if it did, its answer is known. */
function cut(model: Model<unknown>, calls: readonly Call[], end: number): readonly Call[] {
  if (calls.every((call) => call.complete <= end)) return calls;
  return calls
    .filter((call) => call.invoke < end && (call.complete <= end || model.observes?.(call.operation) !== true))
    .map((call) => (call.complete <= end ? call : { ...call, complete: OPEN }));
}

/** The calls without those in `[from, to)` and all that must go with them; undefined when that is not allowed. */
function without(model: Model<unknown>, calls: readonly Call[], from: number, to: number): readonly Call[] | undefined {
  const removed = new Set(calls.slice(from, to));
  // What goes with them is found by asking: whatever makes the rest unsound by itself has to go too.
  for (let round = 0; round < 3; round++) {
    const kept = calls.filter((call) => !removed.has(call));
    if (kept.length === 0) return undefined;
    const gone = [...removed].map((call) => call.operation);
    if (
      mayLeaveOut(
        model,
        gone,
        kept.map((call) => call.operation),
      )
    )
      return kept;
    for (const call of kept) if (!mayLeaveOut(model, gone, [call.operation])) removed.add(call);
  }
  return undefined;
}

function describePrefixes(
  transitions: Transitions<unknown>,
  calls: readonly Call[],
  prefixes: readonly Prefix[],
): readonly Value[] {
  const { model, states } = transitions;
  return prefixes.slice(0, PREFIXES_MAX).map(({ state, ahead, hidden, pending }) => ({
    state: describeState(model, states[state]),
    ahead: ahead.map((call) => calls[call]!.invoke),
    refused: pending
      .filter((call) => model.step(states[state], calls[call]!.operation).length === 0)
      .map((call) => ({
        op: calls[call]!.invoke,
        why: `${describeCall(calls[call]!.operation)} is refused: ${describeState(model, states[state])}`,
      })),
    // What may be hidden may come, too.
    open: [...hidden, ...pending]
      .filter((call) => model.step(states[state], calls[call]!.operation).length > 0)
      .map((call) => calls[call]!.invoke),
  }));
}

export function describeState(model: Model<unknown>, state: unknown): string {
  return model.describe?.(state) ?? `the state is ${JSON.stringify(state)}`;
}

/** An operation in a few words: `read → 5`, `cas [1,2] → refused`. */
export function describeCall({ f, argument, result, outcome }: Operation): string {
  const given = argument === null ? f : `${f} ${JSON.stringify(argument)}`;
  if (outcome === 'unknown') return `${given} → ?`;
  if (outcome === 'refused') return `${given} → refused`;
  return result === undefined || result === null || JSON.stringify(result) === JSON.stringify(argument)
    ? f === 'read' || f === 'get' || f === 'dequeue' || f === 'pop'
      ? `${f} → ${JSON.stringify(result)}`
      : given
    : `${f === 'read' || f === 'get' ? f : given} → ${JSON.stringify(result)}`;
}
