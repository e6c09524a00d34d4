/** No call. */
export const NOT = -1;

/** Small numbers for open calls, used again when they complete. */
export class Slots {
  /** The call in each slot, `NOT` for none. */
  readonly calls: number[] = [];
  readonly #free: number[] = [];
  count = 0;

  reset(most: number): void {
    this.calls.length = 0;
    this.#free.length = 0;
    this.count = 0;
    for (let slot = most - 1; slot >= 0; slot--) {
      this.calls.push(NOT);
      this.#free.push(slot);
    }
  }

  take(call: number): number {
    const slot = this.#free.pop()!;
    this.calls[slot] = call;
    this.count++;
    return slot;
  }

  give(slot: number): void {
    this.#free.push(slot);
    this.calls[slot] = NOT;
    this.count--;
  }
}

export function hasBit(words: Int32Array, from: number, bit: number): boolean {
  return (words[from + (bit >>> 5)]! & (1 << (bit & 31))) !== 0;
}

export function setBit(words: Int32Array, from: number, bit: number): void {
  words[from + (bit >>> 5)]! |= 1 << (bit & 31);
}

export function clearBit(words: Int32Array, from: number, bit: number): void {
  words[from + (bit >>> 5)]! &= ~(1 << (bit & 31));
}

/** The number of the lowest bit that is set. */
export function lowest(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
