import { checkLinear } from '../../checker/linear/check.ts';
import { one, repeat } from '../generator/basic.ts';
import { mix } from '../generator/choice.ts';
import { rotatingKeys } from '../generator/independent.ts';
import { finalWritesAndReads } from './final-reads.ts';
import { numbered } from './numbered.ts';
import type { Workload } from './workload.ts';

/** A set that is read as a whole soon costs more to read and to check than it shows. */
const opsPerSetMax = 100;

/** Sets that only grow: `add` of unique elements, `read` of all. Lost, resurrected and reordered adds show. */
export const set: Workload = {
  name: 'set',
  about: 'linearizable sets: add unique elements, read them all',
  generator({ keys: slots, opsPerKey }) {
    const ops = Math.min(opsPerKey, opsPerSetMax);
    return rotatingKeys({
      slots,
      opsPerKey: ops,
      keyAt: (number) => `s${number}`,
      each: (number) =>
        mix([
          [2, numbered('add', number * ops + 1)],
          [1, repeat(one({ f: 'read', value: null }))],
        ]),
    });
  },
  final: finalWritesAndReads('add'),
  check: (history, { now }) => ({ linear: checkLinear(history, { model: 'set', now }) }),
};
