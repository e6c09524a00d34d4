import { checkLinear } from '../../checker/linear/check.ts';
import { from, one, repeat } from '../generator/basic.ts';
import { mix } from '../generator/choice.ts';
import { rotatingKeys } from '../generator/independent.ts';
import { finalWritesAndReads } from './final-reads.ts';
import type { Workload } from './workload.ts';

const opsPerCounterMax = 100;
const deltaMax = 5;

/** Counters: `add` a small number, up or down, `read` the sum. An add that takes effect twice or never shows. */
export const counter: Workload = {
  name: 'counter',
  about: 'linearizable counters: add a number, read the sum',
  generator: ({ keys: slots, opsPerKey }) =>
    rotatingKeys({
      slots,
      opsPerKey: Math.min(opsPerKey, opsPerCounterMax),
      keyAt: (number) => `c${number}`,
      each: () =>
        mix([
          [1, from(({ random }) => ({ f: 'add', value: random.below(2 * deltaMax + 1) - deltaMax }))],
          [1, repeat(one({ f: 'read', value: null }))],
        ]),
    }),
  final: finalWritesAndReads('add'),
  check: (history, { now }) => ({ linear: checkLinear(history, { model: 'counter', now }) }),
};
