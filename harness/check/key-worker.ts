import { parentPort, workerData } from 'node:worker_threads';
import { Events, type PackedEvents } from '../../checker/history/events.ts';
import { checkKeys } from '../../checker/linear/check.ts';
import type { LinearOptions } from '../../checker/linear/options.ts';
import type { KeyVerdict } from '../../checker/linear/section.ts';
import type { ModelName } from '../../checker/model/models.ts';

/** What a thread is given: columns, and options that can be copied. */
export interface KeyWork {
  readonly events: PackedEvents;
  readonly options: Omit<LinearOptions, 'now' | 'model'> & { readonly model: ModelName };
}

/** A question to a thread: one key. The answer is its verdict. */
export interface KeyQuestion {
  readonly key: number;
  readonly timeMaxMs: number;
}

export type KeyAnswer = { readonly verdict: KeyVerdict } | { readonly error: string };

const { events: packed, options } = workerData as KeyWork;
const events = Events.unpack(packed);

parentPort?.on('message', ({ key, timeMaxMs }: KeyQuestion) => {
  let answer: KeyAnswer;
  try {
    const now = (): number => performance.now();
    const [verdict] = checkKeys(events, { ...options, timeMaxMs, now }, new Set([key]));
    answer = verdict === undefined ? { error: `no key ${key}` } : { verdict };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(answer);
});
