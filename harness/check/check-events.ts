import type { Events } from '../../checker/history/events.ts';
import { checkKeys, checkLinear, concludeLinear } from '../../checker/linear/check.ts';
import type { LinearOptions } from '../../checker/linear/options.ts';
import { TIME_IS_UP } from '../../checker/linear/problem.ts';
import type { KeyVerdict } from '../../checker/linear/section.ts';
import type { Section } from '../../checker/verdict.ts';
import { checkKeysOnThreads } from './key-pool.ts';

/** Time for which one thread tries all keys before the undecided ones go to several. */
const ALONE_MS = 1_000;
const TIME_MAX_MS = 60_000;

/** Judges a history by its linearizability, on worker threads if it has several keys that take long. */
export async function checkEvents(events: Events, options: Omit<LinearOptions, 'now'>): Promise<Section> {
  const now = (): number => performance.now();
  const { model } = options;
  // A model of one's own is code, which no thread can be sent.
  if (typeof model !== 'string') return checkLinear(events, { ...options, now });
  const timeMaxMs = options.timeMaxMs ?? TIME_MAX_MS;
  const deadline = now() + timeMaxMs;
  const first = checkKeys(events, { ...options, now, timeMaxMs: Math.min(ALONE_MS, timeMaxMs) });
  const undecided = first.filter((one) => one.reason === TIME_IS_UP);
  if (undecided.length === 0 || timeMaxMs <= ALONE_MS) return concludeLinear(events, options, first);
  undecided.sort((a, b) => b.operations - a.operations);
  const again = await checkKeysOnThreads(events, { ...options, model }, undecided, deadline);
  const byKey = new Map(again.map((verdict) => [verdict.key, verdict]));
  const merged = first.map((one): KeyVerdict => byKey.get(one.key) ?? one);
  return concludeLinear(events, options, merged);
}
