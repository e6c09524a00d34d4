import { statSync } from 'node:fs';

/** What main makes of `-`, which yargs would swallow as a positional argument. */
export const standardInput = '/dev/stdin';

/** Whether it is a history file, not a run. */
export function isFile(what: string): boolean {
  return what === standardInput || (statSync(what, { throwIfNoEntry: false })?.isFile() ?? false);
}
