import type { FaultRecord } from './world.ts';

/** What became of the faults of one kind; each fault counts once, at its start, and again at its end if that failed. */
export interface FaultCounts {
  proven: number;
  moot: number;
  ineffective: number;
}

/**
 * Counts faults by kind. A fault is ineffective when any of its effects, at start or end, was; proven when at least
 * one was; else moot. Any `ineffective` makes the run unknown.
 */
export function summarizeFaults(_records: Iterable<FaultRecord>): { [kind: string]: FaultCounts } {
  throw new Error('not built yet');
}
