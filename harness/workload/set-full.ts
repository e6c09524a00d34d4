import { checkSetFull } from '../../checker/durability/set-full.ts';
import { one, repeat } from '../generator/basic.ts';
import { mix } from '../generator/choice.ts';
import { rotatingKeys } from '../generator/independent.ts';
import { finalWritesAndReads } from './final-reads.ts';
import { numbered } from './numbered.ts';
import type { Workload } from './workload.ts';

const readEvery = 10;

/** Jepsen's set-full: large sets, seldom read, so that what becomes of every single element is seen. */
export const setFull: Workload = {
  name: 'set-full',
  about: 'durability: add unique elements, and see whether each stays',
  generator: ({ keys: slots, opsPerKey }) =>
    rotatingKeys({
      slots,
      opsPerKey,
      keyAt: (number) => `f${number}`,
      each: (number) =>
        mix([
          [readEvery - 1, numbered('add', number * opsPerKey + 1)],
          [1, repeat(one({ f: 'read', value: null }))],
        ]),
    }),
  final: finalWritesAndReads('add'),
  check: (history) => ({ set: checkSetFull(history, { linearizable: true }) }),
};
