import type { Chosen } from './fault-kind.ts';
import type { FaultRecord } from './world.ts';

/** Stands among faults for a time in which all is whole, between two phases of a nemesis. */
export const restName = 'rest';

/** A fault to be done at a given time to given targets. */
export interface ScriptedFault {
  readonly kind: string;
  readonly variant: string;
  readonly chosen: Chosen;
  /** Nanoseconds since the start of the run. The end comes later when the fault itself takes longer. */
  readonly startNs: number;
  readonly endNs: number;
}

/**
 * The faults of a recorded run, to be done again. One whose end is not on record lasts until the run heals.
 * Repairs are left out: a nemesis makes its own.
 */
export function scriptOf(records: readonly FaultRecord[]): readonly ScriptedFault[] {
  const ends = new Map(records.filter(({ phase }) => phase === 'end').map(({ id, time }) => [id, time]));
  return records
    .filter(({ phase }) => phase === 'start')
    .map(({ kind, variant, id, time, nodes, links, setting }) => ({
      kind,
      variant,
      chosen: {
        nodes,
        ...(links && { links }),
        ...(setting && { setting }),
      },
      startNs: time,
      endNs: ends.get(id) ?? Number.MAX_SAFE_INTEGER,
    }));
}
