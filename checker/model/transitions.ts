import { canonical } from '../history/events.ts';
import type { Value } from '../history/op.ts';
import type { Model, Operation } from './model.ts';

/** The operation is refused in that state. */
export const REFUSED = -1;
const UNSEEN = -0x80000000;
const DENSE_MAX = 1 << 20;

/**
 * A model as a table: states and operations are small integers, every step is computed once. Operations with the
 * same effect and the same answer are one class, which is also what makes crashed operations interchangeable.
 */
export class Transitions<State> {
  readonly model: Model<State>;
  readonly states: State[] = [];
  readonly classes: Operation[] = [];
  #stateIds = new Map<string, number>();
  #classIds = new Map<string, number>();
  #dense = new Int32Array(64).fill(UNSEEN);
  /** Classes that a row of the dense table has room for. */
  #width = 8;
  #sparse = new Map<number, number>();
  /** Answers with several states, behind numbers from -2 down. */
  #several: (readonly number[])[] = [];

  constructor(model: Model<State>) {
    this.model = model;
  }

  state(state: State): number {
    const text = this.model.identify ? this.model.identify(state) : canonical(state as Value);
    let id = this.#stateIds.get(text);
    if (id === undefined) {
      id = this.states.length;
      this.states.push(state);
      this.#stateIds.set(text, id);
    }
    return id;
  }

  classOf(operation: Operation): number {
    const result = operation.result === undefined ? '' : canonical(operation.result);
    const owner = this.model.ownerAware ? operation.process : '';
    const text = `${operation.f} ${operation.outcome} ${owner} ${canonical(operation.argument)} ${result}`;
    let id = this.#classIds.get(text);
    if (id === undefined) {
      id = this.classes.length;
      this.classes.push(operation);
      this.#classIds.set(text, id);
    }
    return id;
  }

  /** The state after it; `REFUSED`; or a number below that, which `several` explains. */
  step(state: number, operation: number): number {
    if (this.classes.length <= this.#width && state * this.#width + operation < this.#dense.length) {
      const at = state * this.#width + operation;
      let next = this.#dense[at]!;
      if (next === UNSEEN) {
        next = this.#compute(state, operation);
        this.#dense[at] = next;
      }
      return next;
    }
    return this.#stepWide(state, operation);
  }

  several(answer: number): readonly number[] {
    return this.#several[-2 - answer]!;
  }

  #stepWide(state: number, operation: number): number {
    let width = this.#width;
    while (width < this.classes.length) width *= 2;
    let rows = this.#dense.length / this.#width;
    while (rows <= state) rows *= 2;
    if (rows * width <= DENSE_MAX) {
      // A wider table; what was computed is computed again when it is needed.
      this.#width = width;
      this.#dense = new Int32Array(rows * width).fill(UNSEEN);
      return this.step(state, operation);
    }
    const at = state * 2 ** 26 + operation;
    let next = this.#sparse.get(at);
    if (next === undefined) {
      next = this.#compute(state, operation);
      if (this.#sparse.size >= 4 * DENSE_MAX) this.#sparse.clear();
      this.#sparse.set(at, next);
    }
    return next;
  }

  #compute(state: number, operation: number): number {
    const next = this.model.step(this.states[state]!, this.classes[operation]!);
    if (next.length === 0) return REFUSED;
    if (next.length === 1) return this.state(next[0]!);
    const ids = [...new Set(next.map((one) => this.state(one)))];
    if (ids.length === 1) return ids[0]!;
    this.#several.push(ids);
    return -1 - this.#several.length;
  }
}
