import type { FaultRecord, World } from './world.ts';

export interface NemesisOptions {
  readonly world: World;
  /** Names from the table of kinds: `partition`, `pause`, `kill`, `clock`. */
  readonly kinds: readonly string[];
  /** From the start of one fault to the start of the next, on average; a fault lasts about half of it. */
  readonly intervalMs: number;
  /** A seeded integer in [0, bound). */
  readonly random: (bound: number) => number;
  /** Nanoseconds since the start of the run. */
  readonly now: () => number;
  readonly record: (fault: FaultRecord) => void;
}

export interface Nemesis {
  /** Ends the fault that is on, heals everything, and resolves when the world has done so. */
  stop(): Promise<void>;
}

/** Runs one fault after another until it is stopped. */
export function startNemesis(_options: NemesisOptions): Nemesis {
  throw new Error('not built yet');
}
