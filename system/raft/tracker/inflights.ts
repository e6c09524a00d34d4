import { invariant } from '../../assert.ts';

const INITIAL_CAPACITY = 8;

/**
 * The sliding window of append messages on their way to one follower, bounded by count and by payload bytes.
 * A ring of (last index, bytes) pairs that grows up to the bound.
 */
export class Inflights {
  readonly #maxMsgs: number;
  readonly #maxBytes: number;
  #indices: number[];
  #sizes: number[];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxMsgs: number, maxBytes: number) {
    this.#maxMsgs = maxMsgs;
    this.#maxBytes = maxBytes;
    const capacity = Math.min(maxMsgs, INITIAL_CAPACITY);
    this.#indices = new Array<number>(capacity).fill(0);
    this.#sizes = new Array<number>(capacity).fill(0);
  }

  get count(): number {
    return this.#count;
  }

  /** The bound on bytes may be overrun by the one message that reaches it, so that a large entry still moves. */
  get full(): boolean {
    return this.#count === this.#maxMsgs || this.#bytes >= this.#maxBytes;
  }

  /** @param lastIndex of the entries in the message; never below that of the message before */
  add(lastIndex: number, bytes: number): void {
    invariant(!this.full, 'an append was sent although the window was full', () => ({ lastIndex, count: this.#count }));
    if (this.#count === this.#indices.length) this.#grow();
    const slot = (this.#start + this.#count) % this.#indices.length;
    this.#indices[slot] = lastIndex;
    this.#sizes[slot] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Everything up to and including `index` has arrived. */
  freeUpTo(index: number): void {
    while (this.#count > 0 && this.#indices[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % this.#indices.length;
      this.#count--;
    }
  }

  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const capacity = Math.min(this.#indices.length * 2, this.#maxMsgs);
    const unrolled = (ring: readonly number[]) => {
      const grown = new Array<number>(capacity).fill(0);
      for (let i = 0; i < this.#count; i++) grown[i] = ring[(this.#start + i) % ring.length]!;
      return grown;
    };
    this.#indices = unrolled(this.#indices);
    this.#sizes = unrolled(this.#sizes);
    this.#start = 0;
  }
}
