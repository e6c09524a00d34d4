import { type Anomaly, type Section, unknown } from './verdict.ts';
import { counted } from './words.ts';

/** The end of a node's process. */
export interface NodeExit {
  readonly node: string;
  /** Nanoseconds since the start of the run. */
  readonly time: number;
  /** The nemesis or the harness did it. */
  readonly ordered: boolean;
  readonly code: number | null;
  readonly signal: string | null;
  /** The last lines of its log, for the reader of the report. */
  readonly lastLogLines: readonly string[];
}

/**
 * CRASH: a node that exits, panics or asserts without the nemesis having done it.
 * @param starts how many times a node was started in the run; none means that nothing was watched
 */
export function checkCrash(starts: number, exits: readonly NodeExit[]): Section {
  const counts = { starts, exits: exits.length };
  if (starts === 0) return unknown('no node was started', counts);
  const anomalies = exits.filter((exit) => !exit.ordered).map(crash);
  const [first] = anomalies;
  return first === undefined
    ? { valid: true, summary: `${counted(starts, 'start')}, no node ended by itself`, anomalies, counts }
    : { valid: false, summary: `${anomalies.length} crash: ${first.message}`, anomalies, counts };
}

function crash({ node, time, code, signal, lastLogLines }: NodeExit): Anomaly {
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  const seconds = (time / 1e9).toFixed(1);
  return {
    kind: 'crash',
    message: `node ${node} ended by itself at ${seconds} s (${how})`,
    ops: [],
    evidence: { node, time, code, signal, lastLogLines },
  };
}
