import { checkLinear } from '../../checker/linear/check.ts';
import { from, limit, untilOk } from '../generator/basic.ts';
import { assign, type Generator } from '../generator/generator.ts';
import { rotatingKeys } from '../generator/independent.ts';
import { eachThread } from '../generator/threads.ts';
import type { Workload } from './workload.ts';

const opsPerLockMax = 50;
const triesMax = 5;

/**
 * Locks: `acquire`, and `release` by who holds it. The lock of a process whose release was uncertain may stay held
 * for ever; the next key is a fresh lock.
 */
export const lock: Workload = {
  name: 'lock',
  about: 'mutual exclusion: acquire and release locks',
  generator: ({ keys: slots, opsPerKey }) =>
    rotatingKeys({
      slots,
      opsPerKey: Math.min(opsPerKey, opsPerLockMax),
      keyAt: (number) => `l${number}`,
      each: () => lockOps(undefined),
    }),
  // A lock of its own for each thread, and so for each node, shows that the node serves.
  final: () =>
    eachThread(
      limit(triesMax, untilOk(from(({ threads: [own = 0] }) => ({ f: 'acquire', key: `final${own}`, value: null })))),
    ),
  check: (history, { now }) => ({ linear: checkLinear(history, { model: 'mutex', now }) }),
};

/** @param holder the process that was last seen to hold the lock */
function lockOps(holder: number | 'nemesis' | undefined): Generator {
  const self: Generator = {
    op(context) {
      const op = assign(context, { f: 'acquire', value: null });
      if (op === undefined) return { kind: 'pending', next: self };
      return { kind: 'op', op: op.process === holder ? { ...op, f: 'release' } : op, next: self };
    },
    update(_, { type, f, process }) {
      if (type !== 'ok') return self;
      return lockOps(f === 'acquire' ? process : undefined);
    },
  };
  return self;
}
