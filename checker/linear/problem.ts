/** The calls on one key, as the search sees them; in order of invocation, positions are indices of events. */
export interface Problem {
  readonly initial: number;
  /** How many calls: the columns may be longer. */
  readonly length: number;
  /** The class of each call in the search's transitions. */
  readonly classes: Int32Array;
  readonly invoke: Int32Array;
  /** `OPEN` for a call that may have happened at any time after its invocation, or never. */
  readonly complete: Int32Array;
}

/** A configuration: a way to linearize everything that completed up to some event. */
export interface Seed {
  /** The state after it. */
  readonly state: number;
  /** The calls that are linearized though they had not completed yet. */
  readonly ahead: readonly number[];
  /** Open calls that may be linearized, overwritten before anything saw them, or may be still to come. */
  readonly hidden: readonly number[];
}

export interface Resume {
  readonly seeds: readonly Seed[];
  /** How many of the problem's calls, the first ones, had been invoked before. */
  readonly carried: number;
  readonly until: number;
}

export interface SearchBounds {
  readonly configurationsMax: number;
  /** Says that the time is up. Asked every few hundred steps. */
  readonly expired: () => boolean;
}

/** What is left of the past. */
export interface Prefix extends Seed {
  /** The calls still to come, of those already invoked. */
  readonly pending: readonly number[];
}

export type SearchResult =
  | { readonly valid: true; readonly order: readonly number[] | undefined; readonly steps: number }
  | {
      readonly valid: false;
      /** The call whose completion no linearization reaches. */
      readonly call: number;
      /** Some of the longest prefixes, from which it can not go on. */
      readonly prefixes: readonly Prefix[];
      readonly steps: number;
    }
  | {
      readonly valid: 'unknown';
      readonly reason: string;
      /** Everything that completed before this event is linearizable. */
      readonly verifiedTo: number;
      readonly configurations: number;
      readonly prefixes: readonly Prefix[];
      readonly steps: number;
    };

/** The reason of a search that reached its bound on time: with more of it, it may decide. */
export const TIME_IS_UP = 'the time is up';
