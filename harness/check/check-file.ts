import type { Section } from '../../checker/verdict.ts';
import type { CheckModel, ModelOptions } from './check-models.ts';
import { readHistory } from './read-history.ts';

/** What became of a file: the check's section, and what to tell a person beside it. */
export interface CheckedFile {
  readonly section: Section;
  readonly warnings: readonly string[];
}

/**
 * Judges a history file as a model: any format of `parseHistory`, gzip or not; `-` is standard input.
 *
 * @throws HistoryError for what is not a history; Node's own errors for a file that cannot be read.
 */
export async function checkFile(path: string, model: CheckModel, options: ModelOptions = {}): Promise<CheckedFile> {
  const { format, events, warnings } = await readHistory(path);
  return { section: await model.check(events, { ...model.defaults?.(format), ...options }), warnings };
}
