import { untilStates as localStates, signalTree } from './process-tree.ts';

/** What becomes of processes that were signalled. */
export type Expected = 'stopped' | 'running' | 'gone';

/** A computer on which a node's servers run: this one, or one that is reached over SSH (`ssh-machine.ts`). */
export interface Machine {
  /** The command line, to be run here, that runs this one there as the server of that name for as long as it lives. */
  command(
    name: string,
    words: readonly [string, ...string[]],
    environment: Readonly<Record<string, string>>,
  ): readonly [string, ...string[]];
  /** Signals a server with all of its processes. @param pid of what was run here */
  signal(name: string, pid: number, signal: NodeJS.Signals): Promise<readonly number[]>;
  /** Waits, bounded, until they are what is expected. @returns the states that the kernel shows, in short */
  untilStates(
    name: string,
    pids: readonly number[],
    expected: Expected,
    timeoutMs: number,
  ): Promise<{ readonly reached: boolean; readonly states: string }>;
}

/**
 * Whether a state of `/proc/PID/stat`, undefined when there is no such process, is what is expected. One that has ended
 * stays a zombie for as long as its parent, which may be stopped itself, does not wait for it. One that is traced (t) is shown as such,
 * stopped or not.
 */
export function isExpected(state: string | undefined, expected: Expected): boolean {
  if (expected === 'running') return state !== 'T';
  return state === undefined || state === 'Z' || (expected === 'stopped' && (state === 'T' || state === 't'));
}

export const thisMachine: Machine = {
  command: (_, words) => words,
  signal: async (_, pid, signal) => signalTree(pid, signal),
  untilStates: (_, pids, expected, timeoutMs) => localStates(pids, (state) => isExpected(state, expected), timeoutMs),
};
