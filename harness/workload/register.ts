import type { Value } from '../../checker/history/op.ts';
import { checkLinear } from '../../checker/linear/check.ts';
import { assign, type Context, type Event, type Generator, type Step, type Template } from '../generator/generator.ts';
import { rotatingKeys } from '../generator/independent.ts';
import { pick } from '../generator/random.ts';
import { finalWritesAndReads } from './final-reads.ts';
import type { Workload } from './workload.ts';

/**
 * Independent registers with read, write and compare-and-set. Every written value is unique in the run, which is
 * what lets a checker decide in near-linear time and name the write that a stale read came from. A compare-and-set
 * expects a value that was seen lately, so that many succeed and some must fail. After `opsPerKey` operations a key
 * is left and a new one begun: uncertain operations make a long history on one key ever harder to check.
 */
export const register: Workload = {
  name: 'register',
  about: 'linearizable registers: read, write and cas over several keys',
  generator: ({ keys: slots, opsPerKey }) =>
    rotatingKeys({
      slots,
      opsPerKey,
      keyAt: (number) => `r${number}`,
      each: (number) => registerOps(number * opsPerKey + 1, []),
    }),
  final: finalWritesAndReads('write'),
  check: (history, { now }) => ({ linear: checkLinear(history, { model: 'cas-register', now }) }),
};

const readOdds = 45;
const writeOdds = 30;
const newestOdds = 75;
const seenMax = 3;

/**
 * @param valueNext the next value that nobody wrote yet
 * @param seen values that were lately in the register, the newest first
 */
function registerOps(valueNext: number, seen: readonly Value[]): Generator {
  const self: Generator = {
    op(context): Step {
      const op = assign(context, choose(context, valueNext, seen));
      if (op === undefined) return { kind: 'pending', next: self };
      return { kind: 'op', op, next: registerOps(valueNext + 1, seen) };
    },
    update(_, event) {
      const value = valueSeen(event);
      if (value === undefined || seen[0] === value) return self;
      return registerOps(valueNext, [value, ...seen].slice(0, seenMax));
    },
  };
  return self;
}

function choose({ random }: Context, value: number, seen: readonly Value[]): Template {
  const point = random.below(100);
  if (point < readOdds) return { f: 'read', value: null };
  if (point < readOdds + writeOdds || seen.length === 0) return { f: 'write', value };
  // Mostly the newest, so that many succeed; sometimes one that was overwritten, which must not.
  const expected = random.below(100) < newestOdds ? seen[0]! : pick(random, seen);
  return { f: 'cas', value: [expected, value] };
}

/** The value that an operation shows its register to have, or to have had a moment ago. */
function valueSeen({ type, f, value }: Event): Value | undefined {
  if (type !== 'ok' || value === undefined) return undefined;
  return f === 'cas' && Array.isArray(value) ? value[1] : value;
}
