import { type Events, NULL, type Ref } from './events.ts';

/** The text, or the line, is not one that is read fast. */
export const SLOW = -1;

/** References to strings by their bytes: an open-addressing table over where each was first seen. */
export class TextTable {
  readonly #bytes: Uint8Array;
  readonly #events: Events;
  /** The reference to the text that was found last. */
  found: Ref = NULL;
  #count = 0;
  #hashes = new Int32Array(256);
  #starts = new Uint32Array(256);
  #lengths = new Int32Array(256).fill(-1);
  #refs = new Int32Array(256);

  constructor(bytes: Uint8Array, events: Events) {
    this.#bytes = bytes;
    this.#events = events;
  }

  /**
   * Reads a string without escapes, of printable ASCII, from after its opening quote; gives the place after its
   * closing one, or `SLOW`. `found` is then the reference to it.
   */
  find(from: number, limit: number): number {
    const b = this.#bytes;
    let hash = 0x811c9dc5;
    let to = from;
    for (; ; to++) {
      const c = b[to]!;
      if (c === 0x22) break;
      if (c < 0x20 || c === 0x5c || c >= 0x7f || to >= limit) return SLOW;
      hash = Math.imul(hash ^ c, 0x01000193);
    }
    this.found = this.#refOf(from, to, hash);
    return to + 1;
  }

  #refOf(from: number, to: number, hash: number): Ref {
    const b = this.#bytes;
    const length = to - from;
    const mask = this.#lengths.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const held = this.#lengths[slot]!;
      if (held === -1) break;
      if (held === length && this.#hashes[slot] === hash) {
        const start = this.#starts[slot]!;
        let i = 0;
        while (i < length && b[start + i] === b[from + i]) i++;
        if (i === length) return this.#refs[slot]!;
      }
      slot = (slot + 1) & mask;
    }
    let text = '';
    for (let at = from; at < to; at++) text += String.fromCharCode(b[at]!);
    const ref = this.#events.ref(text);
    this.#hashes[slot] = hash;
    this.#starts[slot] = from;
    this.#lengths[slot] = length;
    this.#refs[slot] = ref;
    if (++this.#count * 2 > this.#lengths.length) this.#rehash();
    return ref;
  }

  #rehash(): void {
    const [hashes, starts, lengths, refs] = [this.#hashes, this.#starts, this.#lengths, this.#refs];
    const room = lengths.length * 4;
    this.#hashes = new Int32Array(room);
    this.#starts = new Uint32Array(room);
    this.#lengths = new Int32Array(room).fill(-1);
    this.#refs = new Int32Array(room);
    for (let old = 0; old < lengths.length; old++) {
      if (lengths[old] === -1) continue;
      const hash = hashes[old]!;
      let slot = (hash ^ (hash >>> 15)) & (room - 1);
      while (this.#lengths[slot] !== -1) slot = (slot + 1) & (room - 1);
      this.#hashes[slot] = hash;
      this.#starts[slot] = starts[old]!;
      this.#lengths[slot] = lengths[old]!;
      this.#refs[slot] = refs[old]!;
    }
  }
}
