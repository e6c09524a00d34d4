import type { Value } from '../history/op.ts';

/** An operation as a model sees it. */
export interface Operation {
  readonly f: string;
  /** What it was invoked with. */
  readonly argument: Value;
  /** What it answered; undefined when its outcome is unknown. */
  readonly result: Value | undefined;
  /** `ok`: it happened. `refused`: it answered that its condition did not hold. `unknown`: it may have happened. */
  readonly outcome: 'ok' | 'refused' | 'unknown';
  /** The logical thread that called. */
  readonly process: number;
}

/**
 * A sequential object: what a history must be equivalent to. A model of your own needs `name`, `init` and `step`:
 *
 * ```ts
 * const flag: Model<boolean> = {
 *   name: 'flag',
 *   init: () => false,
 *   step: (up, { f, result }) => (f === 'raise' ? [true] : result === undefined || result === up ? [up] : []),
 * };
 * ```
 */
export interface Model<State> {
  readonly name: string;
  /** The state that a history starts in. */
  init(initial: Value | undefined): State;
  /**
   * The states that the operation can lead to with exactly this answer; none when it cannot have answered that.
   * For an `unknown` outcome, every state that some answer would lead to. Pure; must not change `state`.
   */
  step(state: State, operation: Operation): readonly State[];
  /** States with equal texts are the same state. Default: the state as JSON. */
  identify?(state: State): string;
  /** For people. Default: the state as JSON. */
  describe?(state: State): string;
  /** True for an operation that, with this answer, can never change the state: it may be placed as soon as it fits. */
  observes?(operation: Operation): boolean;
  /** True for an operation that is possible in every state, and leads to the same one from each: what was there is lost. */
  overwrites?(operation: Operation): boolean;
  /** Errors of a `fail` that tell that the operation's condition did not hold, rather than that nothing is known. */
  readonly refusals?: readonly string[];
  /** The functions that it knows; a history with any other cannot be judged. Default: any. */
  readonly functions?: readonly string[];
  /** Functions whose answers say nothing of the state; a history of only these proves nothing. */
  readonly blind?: readonly string[];
  /** Whether `step` looks at `process`. */
  readonly ownerAware?: boolean;
  /** The independent object that the operation is on, where the model has several. */
  partition?(operation: Operation): Value;
}
