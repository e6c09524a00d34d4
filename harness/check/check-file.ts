import { checkLinear, type LinearOptions } from '../../checker/linear/check.ts';
import type { Section } from '../../checker/verdict.ts';
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

/**
 * Judges a history file by linearizability: any format of `parseHistory`, gzip or not; `-` is standard input.
 * A Jepsen text log says of a failed cas that the state was different; Porcupine's keys start as empty strings.
 *
 * @throws HistoryError for what is not a history; Node's own errors for a file that cannot be read.
 */
export async function checkFile(path: string, options: CheckFileOptions): Promise<CheckedFile> {
  const { independent, ...rest } = options;
  const { format, events, warnings } = await readHistory(path, independent === undefined ? {} : { independent });
  const section = checkLinear(events, {
    ...(format === 'text' ? { failedCas: 'observed' as const } : {}),
    ...(format === 'porcupine' ? { initial: '' } : {}),
    ...rest,
    now: () => performance.now(),
  });
  return { section, warnings };
}
