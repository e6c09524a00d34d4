import type { Value } from '../../checker/history/op.ts';
import { limit, map, one, repeat, untilOk } from '../generator/basic.ts';
import type { Generator } from '../generator/generator.ts';
import { eachThread, sequence } from '../generator/threads.ts';
import { numbered } from './numbered.ts';

const triesMax = 5;

/** Each thread reads every key, each read tried a few times. */
function finalReads(keys: readonly Value[]): Generator {
  const reads = keys.map((key) => limit(triesMax, untilOk(repeat(one({ f: 'read', key, value: null })))));
  return eachThread(sequence(...reads));
}

/**
 * The same, after a write to a key of its own for each thread, and so for each node, a new value with each try: a store
 * that answers reads may have stopped taking writes for good (hashicorp/raft#696).
 * @param write the name of a write of one number: `write`, `add`
 */
export function finalWritesAndReads(write: string): (keys: readonly Value[]) => Generator {
  const own = eachThread(
    limit(
      triesMax,
      untilOk(map((template, { threads }) => ({ ...template, key: `final${threads[0]}` }), numbered(write, 1))),
    ),
  );
  return (keys) => sequence(own, finalReads(keys));
}
