import type { FaultRecord } from './world.ts';

/** What was done to whom and what became of it, however it was done. */
export type FaultOutcome = Omit<FaultRecord, 'setting'>;

/** What became of the faults of one kind. */
export interface FaultCounts {
  proven: number;
  moot: number;
  ineffective: number;
}

/**
 * Counts faults by kind, each once. A fault is ineffective when any of its effects was, at its start or its end;
 * else proven when some effect of its start was; else moot. Any ineffective one makes the run unknown.
 */
export function summarizeFaults(records: Iterable<FaultOutcome>): { [kind: string]: FaultCounts } {
  const faults = new Map<number, { readonly kind: string; effect: keyof FaultCounts }>();
  for (const { id, kind, phase, effects } of records) {
    const fault = faults.get(id) ?? { kind, effect: 'moot' };
    faults.set(id, fault);
    const seen = new Set(effects.map(({ effect }) => effect));
    if (seen.has('ineffective')) fault.effect = 'ineffective';
    else if (seen.has('proven') && phase === 'start' && fault.effect === 'moot') fault.effect = 'proven';
  }
  const counts: { [kind: string]: FaultCounts } = {};
  for (const { kind, effect } of faults.values()) {
    counts[kind] ??= { proven: 0, moot: 0, ineffective: 0 };
    counts[kind][effect]++;
  }
  return counts;
}
