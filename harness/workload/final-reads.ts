import type { Value } from '../../checker/history/op.ts';
import { limit, one, repeat, untilOk } from '../generator/basic.ts';
import type { Generator } from '../generator/generator.ts';
import { eachThread, sequence } from '../generator/threads.ts';

const triesMax = 5;

/** Each thread reads every key, each read tried a few times. */
export function finalReads(keys: readonly Value[]): Generator {
  const reads = keys.map((key) => limit(triesMax, untilOk(repeat(one({ f: 'read', key, value: null })))));
  return eachThread(sequence(...reads));
}
