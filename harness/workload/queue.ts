import type { Value } from '../../checker/history/op.ts';
import { checkLinear } from '../../checker/linear/check.ts';
import { limit, one, repeat, untilOk } from '../generator/basic.ts';
import { mix } from '../generator/choice.ts';
import type { Generator } from '../generator/generator.ts';
import { rotatingKeys } from '../generator/independent.ts';
import { eachThread, sequence } from '../generator/threads.ts';
import { numbered } from './numbered.ts';
import type { Workload } from './workload.ts';

const opsPerQueueMax = 60;
const triesMax = 5;

/** First in, first out: `enqueue` unique elements, `dequeue` the oldest, or find it empty. */
export const queue: Workload = {
  name: 'queue',
  about: 'linearizable queues: enqueue unique elements, dequeue the oldest',
  generator({ keys: slots, opsPerKey }) {
    const ops = Math.min(opsPerKey, opsPerQueueMax);
    return rotatingKeys({
      slots,
      opsPerKey: ops,
      keyAt: (number) => `q${number}`,
      each: (number) =>
        mix([
          [1, numbered('enqueue', number * ops + 1)],
          [1, repeat(one({ f: 'dequeue', value: null }))],
        ]),
    });
  },
  final: dequeueAll,
  check: (history, { now }) => ({ linear: checkLinear(history, { model: 'fifo-queue', now }) }),
};

/** Each node takes from every queue once more: what was lost is missed here at the latest. */
function dequeueAll(keys: readonly Value[]): Generator {
  const takes = keys.map((key) => limit(triesMax, untilOk(repeat(one({ f: 'dequeue', key, value: null })))));
  return eachThread(sequence(...takes));
}
