import type { LinearOptions } from '../../checker/linear/check.ts';
import type { Section } from '../../checker/verdict.ts';

export interface CheckFileOptions extends Omit<LinearOptions, 'now'> {
  /** How many worker threads at most; default: the processors, and none for small histories. */
  readonly threads?: number;
}

/** What became of a file: the check's section, and what to tell a person. */
export interface CheckedFile {
  readonly section: Section;
  readonly warnings: readonly string[];
}

/**
 * Judges a history file by linearizability: any format of `parseHistory`, gzip or not; `-` is standard input.
 *
 * @throws HistoryError for what is not a history; Node's errors for a file that cannot be read.
 */
export async function checkFile(_path: string, _options: CheckFileOptions): Promise<CheckedFile> {
  throw new Error('not yet');
}
