import type { Results } from '../../checker/verdict.ts';

/** What went wrong in a run, as `section:kind`, each once, in the order of the results. */
export function signatureOf({ sections }: Results): readonly string[] {
  const all = Object.entries(sections).flatMap(([section, { valid, anomalies }]) =>
    valid === false ? anomalies.map(({ kind }) => `${section}:${kind}`) : [],
  );
  return [...new Set(all)];
}
