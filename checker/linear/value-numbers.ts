import type { Ref } from '../history/events.ts';

/** Beyond this a value is looked up in a map. */
const DENSE_MAX = 1 << 24;

/** Numbers for values, key after key, without a table of hashes where values are small integers or interned. */
export class ValueNumbers {
  #positive = new Int32Array(64);
  #negative = new Int32Array(64);
  #sparse = new Map<Ref, number>();
  /** Numbers from before this one belong to another key. */
  #base = 1;
  #next = 1;

  restart(): void {
    this.#base = this.#next;
    if (this.#sparse.size > 0) this.#sparse.clear();
    if (this.#next > 0x3fffffff) {
      this.#positive.fill(0);
      this.#negative.fill(0);
      this.#base = 1;
      this.#next = 1;
    }
  }

  /** The number of a value, from 0 in order of first sight. */
  of(ref: Ref): number {
    let table: Int32Array;
    let at: number;
    if (ref >= 0) {
      if (ref >= this.#positive.length) {
        if (ref >= DENSE_MAX) return this.#far(ref);
        this.#positive = grown(this.#positive, ref);
      }
      table = this.#positive;
      at = ref;
    } else {
      at = -ref;
      if (at >= this.#negative.length) {
        if (at >= DENSE_MAX) return this.#far(ref);
        this.#negative = grown(this.#negative, at);
      }
      table = this.#negative;
    }
    let number = table[at]!;
    if (number < this.#base) {
      number = this.#next++;
      table[at] = number;
    }
    return number - this.#base;
  }

  /** The number of a value that has one; -1 for any other. */
  find(ref: Ref): number {
    const at = ref >= 0 ? ref : -ref;
    const table = ref >= 0 ? this.#positive : this.#negative;
    const number = (at < table.length ? table[at] : this.#sparse.get(ref)) ?? 0;
    return number < this.#base ? -1 : number - this.#base;
  }

  #far(ref: Ref): number {
    let number = this.#sparse.get(ref);
    if (number === undefined) {
      number = this.#next++;
      this.#sparse.set(ref, number);
    }
    return number - this.#base;
  }
}

function grown(table: Int32Array<ArrayBuffer>, at: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(Math.min(DENSE_MAX, 2 ** Math.ceil(Math.log2(at + 1))));
  wider.set(table);
  return wider;
}
