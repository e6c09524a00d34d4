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

/** A sequential object: what a history must be equivalent to. */
export interface Model<State = unknown> {
  readonly name: string;
  /** The state that a history starts in. */
  init(initial: Value | undefined): State;
  /**
   * The states that the operation can lead to with exactly this answer; none when it cannot have answered that.
   * For `unknown` outcomes, every state that some answer would lead to. Pure; must not change `state`.
   */
  step(state: State, operation: Operation): readonly State[];
  /** States with equal texts are the same state. */
  identify(state: State): string;
  /** For people. */
  describe(state: State): string;
  /** The independent object that the operation is on, where there is one beside the history's own `key`. */
  partition?(operation: Operation): Value;
}
