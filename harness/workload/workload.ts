import type { History, Value } from '../../checker/history/op.ts';
import type { Section } from '../../checker/verdict.ts';
import type { Generator } from '../generator/generator.ts';

export interface WorkloadOptions {
  /** How many keys are in use at a time. */
  readonly keys: number;
  /** How many operations a key gets before a new one takes its place. */
  readonly opsPerKey: number;
}

/** What clients do, and how what they saw is judged. The target's client carries the operations out. */
export interface Workload {
  readonly name: string;
  /** One sentence for `--help`. */
  readonly about: string;
  /** What a nemesis does to it unless told otherwise; undefined: the default kinds. */
  readonly faults?: readonly string[];
  /** Operations without end or pace. */
  generator(options: WorkloadOptions): Generator;
  /**
   * What to ask when everything was healed, with one thread a node.
   * @param keys every key that was used
   */
  final(keys: readonly Value[]): Generator;
  /** The sections that this workload answers for. */
  check(history: History, bounds: CheckBounds): { readonly [checker: string]: Section };
}

interface CheckBounds {
  /** A clock in milliseconds, by which a checker bounds its time. */
  readonly now: () => number;
}
