import type { Anomaly } from '../verdict.ts';

/** How many anomalies of a kind are kept in full; one bug can break every operation of a run. */
const KEPT_PER_KIND_MAX = 20;

/** Collects anomalies, keeping the first of each kind in full and counting the rest. */
export class AnomalyList {
  readonly #kept: Anomaly[] = [];
  readonly #counts = new Map<string, number>();

  add(anomaly: Anomaly): void {
    const count = (this.#counts.get(anomaly.kind) ?? 0) + 1;
    this.#counts.set(anomaly.kind, count);
    if (count <= KEPT_PER_KIND_MAX) this.#kept.push(anomaly);
  }

  all(): readonly Anomaly[] {
    return this.#kept;
  }

  /** For example `3 lost-write, 1 log-divergence`: true counts, also of what is not kept. */
  summary(): string {
    return [...this.#counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  }
}
