import { HistoryError } from '../history/history-error.ts';
import type { Value } from '../history/op.ts';
import { sameValue } from '../history/value.ts';
import type { Model, Operation } from './model.ts';

/** The expected and the new value of a cas. */
export function pairOf(operation: Operation): readonly [Value, Value] {
  const { argument } = operation;
  if (Array.isArray(argument) && argument.length === 2) return [argument[0] as Value, argument[1] as Value];
  throw new HistoryError(`${operation.f} needs [expected, new], not ${JSON.stringify(argument)}`);
}

function register(name: string, functions: readonly string[]): Model<Value> {
  return {
    name,
    functions,
    blind: ['write'],
    refusals: ['cas-mismatch'],
    init: (initial) => initial ?? null,
    step(state, operation) {
      const { f, argument, result, outcome } = operation;
      if (f === 'read') return outcome === 'unknown' || sameValue(state, result ?? null) ? [state] : [];
      if (f === 'write') return [argument];
      const [expected, fresh] = pairOf(operation);
      const matches = sameValue(state, expected);
      if (outcome === 'refused') return matches ? [] : [state];
      if (outcome === 'unknown') return [matches ? fresh : state];
      return matches ? [fresh] : [];
    },
    observes(operation) {
      if (operation.f === 'read' || operation.outcome === 'refused') return true;
      if (operation.f === 'write') return false;
      const [expected, fresh] = pairOf(operation);
      return sameValue(expected, fresh);
    },
    overwrites: ({ f }) => f === 'write',
    describe: (state) => `the register holds ${JSON.stringify(state)}`,
  };
}

/** One value, read and written. */
export const readWriteRegister = register('register', ['read', 'write']);
/** One value, read, written, and compared and set: `cas` with `[expected, new]`. */
export const casRegister = register('cas-register', ['read', 'write', 'cas']);
