/**
 * A line of `nodes/<n>/exits.ndjson`: each start and each end of a node's process. An end that nobody ordered is
 * a crash, and makes the run invalid. `time` is in nanoseconds since the start of the run, below zero before it.
 */
export type ProcessRecord =
  | { readonly type: 'start'; readonly time: number; readonly pid: number }
  | {
      readonly type: 'exit';
      readonly time: number;
      readonly pid: number;
      /** The harness asked for this end: a kill, or the stop at the end of the run. */
      readonly ordered: boolean;
      readonly code: number | null;
      readonly signal: string | null;
      /** The last lines of the node's log, oldest first. */
      readonly lastLogLines: readonly string[];
    };
