import type { Value } from '../../checker/history/op.ts';
import { checkLongFork } from '../../checker/txn/long-fork.ts';
import { limit, one, repeat, untilOk } from '../generator/basic.ts';
import { assign, type Generator } from '../generator/generator.ts';
import { eachThread, sequence } from '../generator/threads.ts';
import type { Workload } from './workload.ts';

const groupSize = 3;
const triesMax = 5;
/** How often a whole group is read, on average, before one of its keys is written. */
const readsPerWrite = 4;

/** Every key is written once, and reads cover a whole group: two reads that each saw what the other did not have no order. */
export const longFork: Workload = {
  name: 'long-fork',
  about: 'one order of writes: keys written once, read in groups',
  generator: ({ keys }) =>
    groups(
      Array.from({ length: keys }, (_, number) => ({ number, written: 0 })),
      keys,
    ),
  final: (keys) => {
    const groups = new Set(keys.map((key) => Number.parseInt(String(key).slice(1), 10)));
    const reads = [...groups].map((number) => readGroup(number));
    return eachThread(sequence(...reads.map((value) => limit(triesMax, untilOk(repeat(one({ f: 'txn', value })))))));
  },
  check: (history) => ({ 'long-fork': checkLongFork(history) }),
};

interface Group {
  readonly number: number;
  /** How many of its keys have been written; they are written in order. */
  readonly written: number;
}

function groups(now: readonly Group[], groupNext: number): Generator {
  const self: Generator = {
    op(context) {
      const at = context.random.below(now.length);
      const group = now[at]!;
      const writes = context.random.below(1 + readsPerWrite) === 0;
      const op = assign(context, { f: 'txn', value: writes ? write(group) : readGroup(group.number) });
      if (op === undefined) return { kind: 'pending', next: self };
      if (!writes) return { kind: 'op', op, next: self };
      const written = group.written + 1;
      const next =
        written < groupSize
          ? groups(now.with(at, { ...group, written }), groupNext)
          : groups(now.with(at, { number: groupNext, written: 0 }), groupNext + 1);
      return { kind: 'op', op, next };
    },
    update: () => self,
  };
  return self;
}

function write({ number, written }: Group): Value {
  return [['w', keyOf(number, written), 1]];
}

function readGroup(number: number): Value {
  return Array.from({ length: groupSize }, (_, at): Value => ['r', keyOf(number, at), null]);
}

function keyOf(group: number, at: number): string {
  return `f${group}.${at}`;
}
