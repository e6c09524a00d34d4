import { checkSession } from '../../checker/session/check.ts';
import { one, repeat } from '../generator/basic.ts';
import { mix } from '../generator/choice.ts';
import { rotatingKeys } from '../generator/independent.ts';
import { finalWritesAndReads } from './final-reads.ts';
import { numbered } from './numbered.ts';
import type { Workload } from './workload.ts';

/**
 * The four session guarantees. Each process stays with its node, so for a store that reads from whatever node is
 * asked they are what it can still promise when it is not linearizable.
 */
export const session: Workload = {
  name: 'session',
  about: 'session guarantees: read your writes, monotonic reads and writes, writes follow reads',
  generator: ({ keys: slots, opsPerKey }) =>
    rotatingKeys({
      slots,
      opsPerKey,
      keyAt: (number) => `g${number}`,
      each: (number) =>
        mix([
          [1, numbered('write', number * opsPerKey + 1)],
          [1, repeat(one({ f: 'read', value: null }))],
        ]),
    }),
  final: finalWritesAndReads('write'),
  check: (history) => ({ session: checkSession(history) }),
};
