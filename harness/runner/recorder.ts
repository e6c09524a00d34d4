import type { Op, Value } from '../../checker/history/op.ts';
import { transactionKeys } from '../workload/transactions.ts';
import { isAnswer } from './operations.ts';

/** How many operations ended how, so far. */
export interface Counts {
  readonly invoked: number;
  readonly ok: number;
  readonly fail: number;
  readonly info: number;
}

/** An operation without its place in the history; a field that is undefined is as good as missing. */
type Recorded = Pick<Op, 'time' | 'process' | 'type' | 'f'> & {
  readonly [Field in 'key' | 'value' | 'error' | 'op' | 'node']?: Op[Field] | undefined;
};

/**
 * Puts operations into the order in which they happened and hands each to `append` at once, which has written it
 * when it returns: the death of the harness loses nothing. Counts along the way.
 */
export class Recorder {
  readonly #append: (op: Op) => void;
  readonly #counts = { invoked: 0, ok: 0, fail: 0, info: 0 };
  readonly #keys = new Map<string, Value>();
  readonly #answered = new Map<string, boolean>();
  #index = 0;

  constructor(append: (op: Op) => void) {
    this.#append = append;
  }

  /** Gives the operation its place in the history. */
  record(what: Recorded): void {
    const op: { -readonly [Field in keyof Op]: Op[Field] } = {
      index: this.#index++,
      time: what.time,
      process: what.process,
      type: what.type,
      f: what.f,
    };
    if (what.key !== undefined) op.key = what.key;
    if (what.value !== undefined) op.value = what.value;
    if (what.error !== undefined) op.error = what.error;
    if (what.op !== undefined) op.op = what.op;
    if (what.node !== undefined) op.node = what.node;
    this.#append(op);
    if (op.process === 'nemesis') return;
    if (op.type !== 'invoke') {
      this.#counts[op.type]++;
      if (isAnswer(op)) this.#answered.set(op.f, true);
      return;
    }
    this.#counts.invoked++;
    if (!this.#answered.has(op.f)) this.#answered.set(op.f, false);
    if (op.key !== undefined) this.#keys.set(JSON.stringify(op.key), op.key);
    else if (op.f === 'txn') for (const key of transactionKeys(op.value)) this.#keys.set(JSON.stringify(key), key);
  }

  get counts(): Counts {
    return { ...this.#counts };
  }

  /** Functions that were asked for and that the store has never answered. */
  get unanswered(): readonly string[] {
    return [...this.#answered].flatMap(([f, was]) => (was ? [] : [f]));
  }

  /** Every key that an operation was on, in the order in which they were first used. */
  get keys(): readonly Value[] {
    return [...this.#keys.values()];
  }
}
