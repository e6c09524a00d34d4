import type { Value } from '../history/op.ts';
import type { Anomaly } from '../verdict.ts';
import type { Transactions } from './transactions.ts';

/** How many anomalies of a kind are kept in full; one bug can break every transaction of a run. */
const KEPT_PER_KIND_MAX = 20;

/** Collects anomalies: the first of each kind in full, and how many there are of each. */
export class Findings {
  readonly #kept = new Map<string, Anomaly[]>();
  readonly #counts = new Map<string, number>();

  /** @param make builds the anomaly; called only when it is kept */
  add(kind: string, make: () => Omit<Anomaly, 'kind'>): void {
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    if (count > KEPT_PER_KIND_MAX) return;
    const list = this.#kept.get(kind);
    if (list) list.push({ kind, ...make() });
    else this.#kept.set(kind, [{ kind, ...make() }]);
  }

  get kinds(): string[] {
    return [...this.#counts.keys()];
  }

  count(kind: string): number {
    return this.#counts.get(kind) ?? 0;
  }

  kept(kind: string): readonly Anomaly[] {
    return this.#kept.get(kind) ?? [];
  }
}

/** Why one transaction came before another. */
export interface Reason {
  readonly because: string;
  /** The facts behind it, for a program. */
  readonly facts: { readonly [name: string]: Value };
}

/** What a model found out about a history, beside the edges that it put into the graph. */
export interface Analysis {
  /** What it takes for granted, in a sentence, where a person should know. */
  readonly note?: string | undefined;
  /**
   * Why there is an edge of a kind (one of `WW`, `WR`, `RW`, `RWP`) from `a` to `b`.
   *
   * @param nameA how to call `a` in the sentence
   */
  reason(a: number, b: number, kind: number, nameA: string, nameB: string): Reason | undefined;
}

/** A value in a sentence. */
export function show(value: Value): string {
  return JSON.stringify(value);
}

/** How much of a long list a sentence needs: its end, where what is missing would stand. */
const SHOWN_MAX = 8;
const SHOWN_END = 3;

/** A list in a sentence. */
export function showList(list: readonly Value[]): string {
  if (list.length <= SHOWN_MAX) return show(list);
  return `[… ${list.length - SHOWN_END} more, ${list.slice(-SHOWN_END).map(show).join(', ')}]`;
}

/** A key in a sentence: names need no quotes there. */
export function showKey(key: Value): string {
  return typeof key === 'string' ? key : JSON.stringify(key);
}

/** How many of the transactions that overwrote each other are named. */
const UPDATES_MAX = 20;

/** Several transactions read the same version of a key and went on to write the key: all but one update is lost. */
export function lostUpdate(
  table: Transactions,
  findings: Findings,
  k: number,
  value: Value,
  transactions: readonly number[],
): void {
  const key = table.keyValue(k);
  findings.add('lost-update', () => {
    const ops = transactions.slice(0, UPDATES_MAX).map((t) => table.op(t));
    const more = transactions.length > ops.length ? ` and ${transactions.length - ops.length} more` : '';
    const seen = Array.isArray(value) ? showList(value as readonly Value[]) : show(value);
    return {
      message: `operations ${ops.join(', ')}${more} all read key ${showKey(key)} as ${seen} and went on to write it`,
      key,
      ops,
      evidence: { key, value },
    };
  });
}
