import { HistoryError } from '../history/history-error.ts';
import type { Value } from '../history/op.ts';
import { sameValue } from '../history/value.ts';
import type { Model } from './model.ts';
import { pairOf } from './register.ts';

/**
 * One key of a store of keys (locality makes each key a history of its own): `get` answers the value, or null for
 * a key that is not there; `put`; `append` to a string or list; `delete`; `cas` with `[expected, new]`.
 */
export const keyValue: Model<Value> = {
  name: 'kv',
  functions: ['get', 'put', 'append', 'delete', 'cas', 'read', 'write'],
  blind: ['put', 'write', 'append', 'delete'],
  refusals: ['cas-mismatch'],
  init: (initial) => initial ?? null,
  step(state, operation) {
    const { f, argument, result, outcome } = operation;
    switch (f) {
      case 'get':
      case 'read':
        return outcome === 'unknown' || sameValue(state, result ?? null) ? [state] : [];
      case 'put':
      case 'write':
        return [argument];
      case 'delete':
        return [null];
      case 'append':
        return [appended(state, argument)];
      default: {
        const [expected, fresh] = pairOf(operation);
        const matches = sameValue(state, expected);
        if (outcome === 'refused') return matches ? [] : [state];
        if (outcome === 'unknown') return [matches ? fresh : state];
        return matches ? [fresh] : [];
      }
    }
  },
  observes(operation) {
    const { f, outcome } = operation;
    if (f === 'get' || f === 'read' || outcome === 'refused') return true;
    if (f !== 'cas') return false;
    const [expected, fresh] = pairOf(operation);
    return sameValue(expected, fresh);
  },
  overwrites: ({ f }) => f === 'put' || f === 'write' || f === 'delete',
  describe: (state) => (state === null ? 'the key is not there' : `the key holds ${JSON.stringify(state)}`),
};

function appended(state: Value, element: Value): Value {
  if (Array.isArray(state)) return [...(state as readonly Value[]), element];
  if (typeof element !== 'string') return state === null ? [element] : fail(state, element);
  if (state === null) return element;
  return typeof state === 'string' ? state + element : fail(state, element);
}

function fail(state: Value, element: Value): never {
  throw new HistoryError(`cannot append ${JSON.stringify(element)} to ${JSON.stringify(state)}`);
}

type Registers = { readonly [name: string]: Value };

/**
 * Several registers that one operation reads and writes at once: its value is a list of `[f, register, value]`,
 * with f `r` or `read`, `w` or `write`.
 */
export const multiRegister: Model<Registers> = {
  name: 'multi-register',
  init: (initial) => (initial !== undefined && isRegisters(initial) ? initial : {}),
  step(state, operation) {
    const { argument, result, outcome } = operation;
    const actions = outcome === 'unknown' ? argument : (result ?? argument);
    const registers = { ...state };
    for (const [f, register, value] of actionsOf(actions)) {
      const name = typeof register === 'string' ? register : JSON.stringify(register);
      if (isWrite(f)) registers[name] = value;
      else if (outcome !== 'unknown' && !sameValue(registers[name] ?? null, value)) return [];
    }
    return [registers];
  },
  observes: ({ argument }) => actionsOf(argument).every(([f]) => !isWrite(f)),
};

function isRegisters(value: Value): value is Registers {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function isWrite(f: Value): boolean {
  return f === 'w' || f === 'write';
}

function actionsOf(value: Value): readonly (readonly [Value, Value, Value])[] {
  if (!Array.isArray(value)) throw new HistoryError(`not a list of [f, register, value]: ${JSON.stringify(value)}`);
  return (value as readonly Value[]).map((action) => {
    if (!Array.isArray(action) || action.length < 2) {
      throw new HistoryError(`not [f, register, value]: ${JSON.stringify(action)}`);
    }
    const [f, register, third] = action as readonly Value[];
    if (f !== 'r' && f !== 'read' && f !== 'w' && f !== 'write') {
      throw new HistoryError(`not a read or a write: ${JSON.stringify(action)}`);
    }
    return [f, register ?? null, third ?? null] as const;
  });
}
