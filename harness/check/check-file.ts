import type { Events } from '../../checker/history/events.ts';
import {
  checkKeys,
  checkLinear,
  concludeLinear,
  type KeyVerdict,
  type LinearOptions,
} from '../../checker/linear/check.ts';
import { TIME_IS_UP } from '../../checker/linear/search.ts';
import type { Section } from '../../checker/verdict.ts';
import { checkKeysOnThreads } from './key-pool.ts';
import { readHistory } from './read-history.ts';

export interface CheckFileOptions extends Omit<LinearOptions, 'now'> {
  /** Whether values are `[key value]` tuples of independent keys; by default seen from the history. */
  readonly independent?: boolean;
}

/** What became of a file: the check's section, and what to tell a person beside it. */
export interface CheckedFile {
  readonly section: Section;
  readonly warnings: readonly string[];
}

/** Time for which one thread tries all keys before the undecided ones go to several. */
const ALONE_MS = 1_000;
const TIME_MAX_MS = 60_000;

/**
 * Judges a history file by linearizability: any format of `parseHistory`, gzip or not; `-` is standard input.
 * A Jepsen text log says of a failed cas that the state was different; Porcupine's keys start as empty strings.
 *
 * @throws HistoryError for what is not a history; Node's own errors for a file that cannot be read.
 */
export async function checkFile(path: string, options: CheckFileOptions): Promise<CheckedFile> {
  const { independent, ...rest } = options;
  const { format, events, warnings } = await readHistory(path, independent === undefined ? {} : { independent });
  const section = await checkEvents(events, {
    ...(format === 'text' ? { failedCas: 'observed' as const } : {}),
    ...(format === 'porcupine' ? { initial: '' } : {}),
    ...rest,
  });
  return { section, warnings };
}

/** Judges a history, on worker threads if it has several keys that take long. */
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
