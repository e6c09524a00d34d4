import type { Value } from '../../checker/history/op.ts';
import { checkLinear } from '../../checker/linear/check.ts';
import { limit, one, repeat, untilOk } from '../generator/basic.ts';
import { assign, type Context, type Event, type Generator, type Step, type Template } from '../generator/generator.ts';
import { pick } from '../generator/random.ts';
import { eachThread, sequence } from '../generator/threads.ts';
import type { Workload, WorkloadOptions } from './workload.ts';

/**
 * Independent registers with read, write and compare-and-set. Every written value is unique in the run, which is
 * what lets a checker decide in near-linear time and name the write that a stale read came from. A compare-and-set
 * expects a value that was seen lately, so that about as many succeed as fail. After `opsPerKey` operations a key
 * is left and a new one begun: uncertain operations make a long history on one key ever harder to check.
 */
export const register: Workload = {
  name: 'register',
  about: 'linearizable registers: read, write and cas over several keys',
  generator: (options) => registers(options, firstKeys(options.keys), options.keys, 1),
  final: finalReads,
  check: (history, { now }) => ({ linear: checkLinear(history, { model: 'cas-register', now }) }),
};

/** Each node reads every key, each read tried a few times. */
export function finalReads(keys: readonly Value[]): Generator {
  const tries = 5;
  const reads = keys.map((key) => limit(tries, untilOk(repeat(one({ f: 'read', key, value: null })))));
  return eachThread(sequence(...reads));
}

const readOdds = 45;
const writeOdds = 30;
const seenMax = 3;

interface Key {
  readonly name: string;
  readonly operations: number;
  /** Values that were lately in it, the newest first. */
  readonly seen: readonly Value[];
}

function firstKeys(count: number): readonly Key[] {
  return Array.from({ length: count }, (_, number) => freshKey(number));
}

function freshKey(number: number): Key {
  return { name: `r${number}`, operations: 0, seen: [] };
}

/**
 * @param keyNext the number of the next new key
 * @param valueNext the next value that nobody wrote yet
 */
function registers(options: WorkloadOptions, keys: readonly Key[], keyNext: number, valueNext: number): Generator {
  const self: Generator = {
    op(context): Step {
      const at = context.random.below(keys.length);
      const key = keys[at]!;
      const op = assign(context, choose(context, key, valueNext));
      if (op === undefined) return { kind: 'pending', next: self };
      const full = key.operations + 1 >= options.opsPerKey;
      const used = full ? freshKey(keyNext) : { ...key, operations: key.operations + 1 };
      const next = registers(options, keys.with(at, used), full ? keyNext + 1 : keyNext, valueNext + 1);
      return { kind: 'op', op, next };
    },
    update(_, event) {
      const value = valueSeen(event);
      const at = value === undefined ? -1 : keys.findIndex(({ name }) => name === event.key);
      const key = keys[at];
      if (key === undefined || value === undefined || key.seen[0] === value) return self;
      const seen = [value, ...key.seen].slice(0, seenMax);
      return registers(options, keys.with(at, { ...key, seen }), keyNext, valueNext);
    },
  };
  return self;
}

function choose(context: Context, { name, seen }: Key, value: number): Template {
  const point = context.random.below(100);
  if (point < readOdds) return { f: 'read', key: name, value: null };
  if (point < readOdds + writeOdds || seen.length === 0) return { f: 'write', key: name, value };
  return { f: 'cas', key: name, value: [pick(context.random, seen), value] };
}

/** The value that an operation shows its register to have, or to have had a moment ago. */
function valueSeen({ type, f, value }: Event): Value | undefined {
  if (type !== 'ok' || value === undefined) return undefined;
  return f === 'cas' && Array.isArray(value) ? value[1] : value;
}
