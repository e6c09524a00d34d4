import type { Op } from '../../checker/history/op.ts';

/**
 * The parts of a run, in order. Each begins with a line of the nemesis in the history, `{"f":"phase","value":…}`,
 * so that a run can be judged from its folder alone.
 */
export type Phase = 'operations' | 'heal' | 'converge' | 'final' | 'end' | 'interrupted';

export const phaseName = 'phase';
/** The line that says whether the cluster came together again, with what every node said of itself last. */
export const convergeName = 'converge';

/**
 * The line that says the same of a cluster that was healed in the middle of a run, under its clients' load, between two
 * kinds of trouble.
 */
export const togetherName = 'together';

/** The line that says how late operations began (`Lateness`): what latency counted from `invoke` leaves out. */
export const latenessName = 'lateness';

/** Where in the history a part begins; undefined when the run never came to it. */
export function phaseStart(history: readonly Op[], phase: Phase): number | undefined {
  const at = history.findIndex(({ process, f, value }) => process === 'nemesis' && f === phaseName && value === phase);
  return at < 0 ? undefined : at;
}
