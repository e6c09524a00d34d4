import type { Op } from '../../checker/history/op.ts';
import type { Results } from '../../checker/verdict.ts';

/** What went wrong in a run, as `section:kind`, each once, in the order of the results. */
export function signatureOf({ sections }: Results): readonly string[] {
  const all = Object.entries(sections).flatMap(([section, { valid, anomalies }]) =>
    valid === false ? anomalies.map(({ kind }) => `${section}:${kind}`) : [],
  );
  return [...new Set(all)];
}

export interface FoundAnomaly {
  /** `section:kind` */
  readonly name: string;
  /** When the last operation that it rests on was over, or the run, where it rests on none. Of several the first. */
  readonly atMs: number;
}

export function foundAnomalies(results: Results, history: readonly Op[], virtualMs: number): readonly FoundAnomaly[] {
  return signatureOf(results).map((name) => {
    const [section = '', ...kind] = name.split(':');
    const same = results.sections[section]?.anomalies.filter((anomaly) => anomaly.kind === kind.join(':')) ?? [];
    const ends = same.map(({ ops }) => Math.max(...ops.map((index) => history[index]?.time ?? 0)) / 1e6);
    return { name, atMs: Math.min(virtualMs, ...ends.filter((at) => at > 0)) };
  });
}
