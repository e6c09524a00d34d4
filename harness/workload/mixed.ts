import { checkLinear } from '../../checker/linear/check.ts';
import { from, one, repeat } from '../generator/basic.ts';
import { mix } from '../generator/choice.ts';
import type { Generator } from '../generator/generator.ts';
import { rotatingKeys } from '../generator/independent.ts';
import { finalWritesAndReads } from './final-reads.ts';
import { numbered } from './numbered.ts';
import type { Workload } from './workload.ts';

/** Deleted keys hold the same nothing again and again, so histories must stay short enough to be searched. */
const opsPerKeyMax = 60;
/** How far back a compare-and-set looks for what it expects: some succeed, most are refused. */
const expectedMax = 10;

/** All that a key-value store does, on the same keys: get, put, compare-and-set, delete; and append, on lists. */
export const mixed: Workload = {
  name: 'mixed',
  about: 'a linearizable key-value store: read, write, cas, delete and append, all on the same keys',
  generator({ keys: slots, opsPerKey }) {
    const ops = Math.min(opsPerKey, opsPerKeyMax);
    return rotatingKeys({
      slots,
      opsPerKey: ops,
      keyAt: (number) => `${isList(number) ? 'l' : 'm'}${number}`,
      each: (number) => (isList(number) ? list(number * ops + 1) : value(number * ops + 1)),
    });
  },
  final: finalWritesAndReads('write'),
  check: (history, { now }) => ({ linear: checkLinear(history, { model: 'kv', now }) }),
};

function isList(number: number): boolean {
  return number % 3 === 2;
}

const read = repeat(one({ f: 'read', value: null }));
const remove = repeat(one({ f: 'delete' }));

function list(first: number): Generator {
  return mix([
    [4, numbered('append', first)],
    [4, read],
    [1, remove],
  ]);
}

function value(first: number): Generator {
  return mix([
    [3, numbered('write', first)],
    [4, read],
    [1, remove],
    [
      2,
      from(({ random }) => {
        const expected = first + random.below(expectedMax);
        return { f: 'cas', value: [random.below(4) === 0 ? null : expected, -expected] };
      }),
    ],
  ]);
}
