/**
 * A line of `nodes/<n>/exits.ndjson`: each start and each end of a node's process. An end that nobody ordered is
 * a crash, and makes the run invalid.
 */
export type ProcessRecord =
  | { readonly type: 'start'; readonly at: string; readonly pid: number }
  | {
      readonly type: 'exit';
      /** Wall clock of the harness, ISO 8601. */
      readonly at: string;
      readonly pid: number;
      /** The harness asked for this end (a kill, or the stop at the end of the run). */
      readonly ordered: boolean;
      readonly code: number | null;
      readonly signal: string | null;
      /** The last lines of the node's log, oldest first; empty for an ordered end. */
      readonly lastLines: readonly string[];
    };
