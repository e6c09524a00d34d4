import { HistoryError } from '../../checker/history/history-error.ts';
import type { Valid } from '../../checker/verdict.ts';
import { RunFolderError } from '../../results/store/schema.ts';
import { UsageError } from './usage-error.ts';

/** Exit codes, as Jepsen's. */
export const exitCodes = { valid: 0, invalid: 1, unknown: 2, usage: 254, failed: 255 } as const;

export function exitCodeOf(valid: Valid): number {
  return valid === true ? exitCodes.valid : valid === false ? exitCodes.invalid : exitCodes.unknown;
}

/** What to say of an error, in one line, and the exit code. */
export function explain(error: unknown): { readonly line: string; readonly code: number } {
  if (error instanceof UsageError || error instanceof RunFolderError || error instanceof HistoryError) {
    return { line: oneLine(error.message), code: exitCodes.usage };
  }
  if (!(error instanceof Error)) return { line: oneLine(String(error)), code: exitCodes.failed };
  const code = 'code' in error ? error.code : undefined;
  const line =
    code === 'ENOSPC'
      ? `no space left on the device: free some, or give another folder with --results (${error.message})`
      : error.message;
  return { line: oneLine(line), code: exitCodes.failed };
}

function oneLine(message: string): string {
  return message.replaceAll(/\s*\n\s*/g, '; ');
}
