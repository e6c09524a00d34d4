import { canonical } from './history/events.ts';
import type { Value } from './history/op.ts';
import type { Model, Operation } from './model/model.ts';

/**
 * Evidence for a verdict on linearizability, and its verification, which shares nothing with the checkers but the
 * models: a few dozen lines to believe instead of all of theirs.
 */

/** A call as certificates see it. `complete` is Infinity for an unknown outcome. */
export interface CertifiedCall {
  readonly operation: Operation;
  readonly invoke: number;
  readonly complete: number;
}

/**
 * Whether `order` (indices into `calls`) is a linearization: every call that completed is in it once, none of the
 * others more than once; no call stands before one that had completed when it was invoked; each gives its answer.
 */
export function verifyLinearization<State>(
  model: Model<State>,
  initial: State,
  calls: readonly CertifiedCall[],
  order: readonly number[],
): boolean {
  if (new Set(order).size !== order.length) return false;
  const placed = new Set(order);
  if (calls.some((call, at) => call.complete !== Number.POSITIVE_INFINITY && !placed.has(at))) return false;
  const text = model.identify ?? ((state: State) => JSON.stringify(state));
  let latest = Number.NEGATIVE_INFINITY;
  // Steps with several answers (an unordered queue) make it a set of states.
  let states: readonly State[] = [initial];
  for (const at of order) {
    const call = calls[at];
    if (call === undefined || call.complete < latest) return false;
    latest = Math.max(latest, call.invoke);
    const next = new Map<string, State>();
    for (const state of states) for (const one of model.step(state, call.operation)) next.set(text(one), one);
    if (next.size === 0) return false;
    states = [...next.values()];
  }
  return true;
}

/**
 * Whether no linearization of the calls exists, by trying all (with a memory of what was tried).
 * Undefined when that took more than `stepsMax` steps.
 */
export function verifyCounterexample<State>(
  model: Model<State>,
  initial: State,
  calls: readonly CertifiedCall[],
  stepsMax = 1_000_000,
): boolean | undefined {
  const text = model.identify ?? ((state: State) => JSON.stringify(state));
  const tried = new Set<string>();
  const stack: { readonly state: State; readonly done: readonly number[] }[] = [{ state: initial, done: [] }];
  for (let steps = 0; steps < stepsMax; steps++) {
    const place = stack.pop();
    if (place === undefined) return true;
    const { state, done } = place;
    const memory = `${done.join()} ${text(state)}`;
    if (tried.has(memory)) continue;
    tried.add(memory);
    const left = [...calls.keys()].filter((at) => !done.includes(at));
    const first = Math.min(...left.map((at) => calls[at]!.complete));
    if (first === Number.POSITIVE_INFINITY || left.length === 0) return false;
    for (const at of left) {
      if (calls[at]!.invoke > first) continue;
      const next = [...done, at].sort((a, b) => a - b);
      for (const one of model.step(state, calls[at]!.operation)) stack.push({ state: one, done: next });
    }
  }
  return undefined;
}

/**
 * Whether leaving `removed` out of any linearizable history leaves a linearizable one, `kept`. Only then does a
 * part of a history that is not linearizable condemn the whole.
 */
export function mayLeaveOut(model: Model<unknown>, removed: readonly Operation[], kept: readonly Operation[]): boolean {
  const moving = removed.filter((operation) => model.observes?.(operation) !== true);
  if (moving.length === 0) return true;
  switch (model.name) {
    case 'register':
    case 'cas-register':
    case 'kv': {
      // A value that nobody observes can be skipped: the one before it stays longer.
      if (kept.some(({ f, outcome }) => outcome === 'refused' || f === 'append')) return false;
      const seen = new Set(kept.map(observedBy));
      return moving.every((operation) => operation.f !== 'append' && !seen.has(canonical(writtenBy(operation))));
    }
    case 'fifo-queue':
    case 'unordered-queue':
    case 'stack': {
      // Everything about some elements can be skipped, if it is known which. What is kept and may have taken one of
      // them may as well not have happened.
      const takes = (operation: Operation): boolean => operation.f === 'dequeue' || operation.f === 'pop';
      const isUnknownTake = (operation: Operation): boolean => takes(operation) && operation.outcome === 'unknown';
      if (moving.some(isUnknownTake)) return false;
      const element = (operation: Operation): string =>
        canonical((takes(operation) ? operation.result : operation.argument) ?? null);
      const elements = new Set(moving.map(element));
      return kept.every(
        (operation) =>
          model.observes?.(operation) === true || isUnknownTake(operation) || !elements.has(element(operation)),
      );
    }
    case 'set': {
      // Elements that nothing else speaks of can be skipped.
      const named = new Set(
        kept.flatMap(({ f, argument, result }) =>
          (f === 'read' && Array.isArray(result) ? result : [argument]).map(canonical),
        ),
      );
      return moving.every(({ argument }) => !named.has(canonical(argument)));
    }
    default:
      return false;
  }
}

/** The value that a register must hold for the operation to happen with its answer. */
function observedBy({ f, argument, result, outcome }: Operation): string | undefined {
  if (f === 'read' || f === 'get') return outcome === 'ok' ? canonical(result ?? null) : undefined;
  return f === 'cas' && Array.isArray(argument) ? canonical(argument[0] as Value) : undefined;
}

function writtenBy({ f, argument }: Operation): Value {
  return f === 'cas' && Array.isArray(argument) ? (argument[1] as Value) : f === 'delete' ? null : argument;
}
