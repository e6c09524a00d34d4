import type { Value } from './history/op.ts';

/** As Jepsen's `:valid?`. */
export type Valid = true | false | 'unknown';

/** One thing that went wrong, with the evidence for it. */
export interface Anomaly {
  /** A stable name: `nonlinearizable`, `lost-write`, `two-leaders`, `G-single`, `crash`, `ineffective-fault` … */
  readonly kind: string;
  /** One sentence for a person. */
  readonly message: string;
  readonly key?: Value;
  /** Indices into the history of the operations involved, invocation or completion. */
  readonly ops: readonly number[];
  /** Facts that a simpler program can check again; their shape depends on `kind` and is documented in docs/results.md. */
  readonly evidence: { readonly [name: string]: Value };
}

/** What one checker says: a section of `results.json`. */
export interface Section {
  readonly valid: Valid;
  /** One line for a person: what was checked, how much of it. */
  readonly summary: string;
  /** Why it is unknown. Present exactly when `valid` is `"unknown"`. */
  readonly reason?: string;
  readonly anomalies: readonly Anomaly[];
  /** How much was looked at, so that a check of nothing is seen: operations, keys, entries … */
  readonly counts: { readonly [name: string]: number };
  /** What the checker wants to show beyond that (paths taken, times); never needed to understand the verdict. */
  readonly details?: { readonly [name: string]: Value };
}

/** `results.json`. */
export interface Results {
  readonly valid: Valid;
  readonly sections: { readonly [checker: string]: Section };
}

/** Worst wins: invalid > unknown > valid. */
export function worst(verdicts: Iterable<Valid>): Valid {
  let result: Valid = true;
  for (const verdict of verdicts) {
    if (verdict === false) return false;
    if (verdict === 'unknown') result = 'unknown';
  }
  return result;
}

/** Merges sections. None at all is unknown: a checker that read nothing never says valid. */
export function mergeSections(sections: { readonly [checker: string]: Section }): Results {
  const verdicts = Object.values(sections).map((section) => section.valid);
  return { valid: verdicts.length === 0 ? 'unknown' : worst(verdicts), sections };
}

/** A section for something that could not be checked. */
export function unknown(reason: string, counts: { readonly [name: string]: number } = {}): Section {
  return { valid: 'unknown', summary: reason, reason, anomalies: [], counts };
}
