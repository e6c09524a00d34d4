const slabBytes = 64 * 1024;
/** Larger pieces get an array of their own: no slab is left half empty for them. */
const pieceBytesMax = slabBytes / 8;

/**
 * Cuts small arrays out of large ones, since to make an array with memory of its own costs more than to fill it. A slab
 * lives as long as any of its pieces: for what is dropped soon, or in the order in which it was made.
 */
export class ByteSlab {
  #slab = new Uint8Array(0);
  #used = 0;

  /** @returns zeros, which are the caller's */
  take(lengthBytes: number): Uint8Array {
    if (lengthBytes > pieceBytesMax) return new Uint8Array(lengthBytes);
    if (this.#used + lengthBytes > this.#slab.length) {
      this.#slab = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const piece = this.#slab.subarray(this.#used, this.#used + lengthBytes);
    this.#used += lengthBytes;
    return piece;
  }
}
