import type { Transitions } from '../model/transitions.ts';
import { NOT, Slots, setBit } from './slots.ts';

/** The open calls that only observe, and for each state those that fit it: computed once for each set of them. */
export class OpenObservers<State> {
  readonly #transitions: Transitions<State>;
  readonly #slots = new Slots();
  /** Words of bits for the slots. */
  #words = 0;
  /** By state: the slots of those that fit. */
  fits = new Int32Array(64);
  #epochOf = new Int32Array(64);
  #epoch = 1;

  constructor(transitions: Transitions<State>) {
    this.#transitions = transitions;
  }

  /** The call in each slot. */
  get calls(): readonly number[] {
    return this.#slots.calls;
  }

  get count(): number {
    return this.#slots.count;
  }

  reset(most: number): void {
    this.#slots.reset(most);
    this.#epoch++;
    const words = (most + 31) >>> 5;
    if (words === this.#words) return;
    this.#words = words;
    this.fits = new Int32Array(this.#epochOf.length * words);
    this.#epochOf.fill(0);
  }

  take(call: number): number {
    this.#epoch++;
    return this.#slots.take(call);
  }

  give(slot: number): void {
    this.#epoch++;
    this.#slots.give(slot);
  }

  /** Where in `fits` the words of a state begin. */
  fitting(state: number, classes: Int32Array): number {
    if (state >= this.#epochOf.length || this.#epochOf[state] !== this.#epoch) this.#compute(state, classes);
    return state * this.#words;
  }

  #compute(state: number, classes: Int32Array): void {
    const words = this.#words;
    if (state >= this.#epochOf.length) {
      const room = 2 * (state + 1);
      const epochs = new Int32Array(room);
      epochs.set(this.#epochOf);
      this.#epochOf = epochs;
      const fits = new Int32Array(room * words);
      fits.set(this.fits);
      this.fits = fits;
    }
    this.#epochOf[state] = this.#epoch;
    const from = state * words;
    this.fits.fill(0, from, from + words);
    const { calls } = this.#slots;
    for (let slot = 0; slot < calls.length; slot++) {
      const call = calls[slot]!;
      if (call === NOT || this.#transitions.step(state, classes[call]!) !== state) continue;
      setBit(this.fits, from, slot);
    }
  }
}
