import { clearBit, Slots, setBit } from './slots.ts';

/** The open calls that may change the state. */
export class OpenMovers {
  readonly #slots = new Slots();
  /** Their slots, the first to complete first. */
  readonly order: number[] = [];
  /** The slots of those that overwrite whatever is there, as bits; and how many do not. */
  overwriters = new Int32Array(0);
  steppers = 0;

  /** The call in each slot. */
  get calls(): readonly number[] {
    return this.#slots.calls;
  }

  reset(most: number, words: number): void {
    this.#slots.reset(most);
    this.order.length = 0;
    this.steppers = 0;
    if (this.overwriters.length === words) this.overwriters.fill(0);
    else this.overwriters = new Int32Array(words);
  }

  /** @param complete by call */
  take(call: number, complete: Int32Array, overwrites: boolean): number {
    const slot = this.#slots.take(call);
    if (overwrites) setBit(this.overwriters, 0, slot);
    else this.steppers++;
    const end = complete[call]!;
    let at = this.order.length;
    while (at > 0 && complete[this.calls[this.order[at - 1]!]!]! > end) at--;
    this.order.splice(at, 0, slot);
    return slot;
  }

  give(slot: number, overwrites: boolean): void {
    this.#slots.give(slot);
    this.order.splice(this.order.indexOf(slot), 1);
    if (overwrites) clearBit(this.overwriters, 0, slot);
    else this.steppers--;
  }
}
