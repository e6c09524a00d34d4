const NOT = -1;
/** A new row is compared with this many others of its state; beyond that only with its equals. */
const COMPARED_MAX = 64;

/** How a row's words are divided; the state is word 0. */
export interface RowLayout {
  /** Words for the calls that may change the state: this many for those used, then as many for those maybe hidden. */
  readonly moverWords: number;
  /** Words for the observers that are placed. */
  readonly observerWords: number;
  /** Numbers of crashed calls used, by class. */
  readonly counts: number;
}

/**
 * A set of configurations, each a row of words: what is linearized of the calls that are open. Of two rows with the
 * same state one may be as good as the other for all that can follow; then the other is not kept:
 * - an observer that is placed is no burden any more;
 * - a mover that may be taken as hidden or as still to come is as good as either;
 * - fewer crashed calls used leave more of them to use.
 */
export class Configurations {
  words = new Int32Array(64);
  /** For each row the last step of its linearization. */
  trails = new Int32Array(16);
  length = 0;
  live = 0;
  width = 1;
  #moverWords = 0;
  #observerWords = 0;
  #counts = 0;
  /** Rows by a hash of all their words. */
  #table = new Int32Array(64).fill(NOT);
  #slots = new Int32Array(16);
  /** The rows of each state, chained; a state's are of now when its stamp is. */
  #firstOf = new Int32Array(64);
  #stampOf = new Int32Array(64);
  #stamp = 1;
  #chain = new Int32Array(16);

  reset({ moverWords, observerWords, counts }: RowLayout): void {
    this.clear();
    this.#moverWords = moverWords;
    this.#observerWords = observerWords;
    this.#counts = counts;
    this.width = 1 + 2 * moverWords + observerWords + counts;
  }

  clear(): void {
    // A table that was large once is not wiped for the few rows of now.
    if (this.length * 8 < this.#table.length) {
      for (let row = 0; row < this.length; row++) this.#table[this.#slots[row]!] = NOT;
    } else this.#table.fill(NOT);
    this.length = 0;
    this.live = 0;
    this.#stamp++;
  }

  /** The words of a row, until rows are added. */
  row(at: number): Int32Array {
    return this.words.subarray(at * this.width, (at + 1) * this.width);
  }

  isDead(row: number): boolean {
    return this.words[row * this.width]! === NOT;
  }

  /** Adds the row unless one that is as good is there already; drops those that it is as good as. */
  add(row: Int32Array, trail: number): void {
    const state = row[0]!;
    if (state >= this.#firstOf.length) this.#reserveStates(state);
    if (this.#stampOf[state] !== this.#stamp) {
      this.#stampOf[state] = this.#stamp;
      this.#firstOf[state] = NOT;
    }
    let compared = 0;
    let previous = NOT;
    for (let at = this.#firstOf[state]!; at !== NOT; ) {
      if (++compared > COMPARED_MAX) {
        if (this.#holds(row)) return;
        break;
      }
      const next = this.#chain[at]!;
      const order = this.#compare(at * this.width, row);
      if ((order & 1) !== 0) return;
      if (order === 2) {
        this.words[at * this.width] = NOT;
        this.live--;
        if (previous === NOT) this.#firstOf[state] = next;
        else this.#chain[previous] = next;
      } else previous = at;
      at = next;
    }
    this.#append(row, trail);
    if (this.length * 2 > this.#table.length) this.#rehash();
  }

  /** Bit 0: the row in the set, at `from`, is as good as the new one. Bit 1: the other way round. */
  #compare(from: number, row: Int32Array): number {
    const { words } = this;
    let order = 3;
    let at = 1;
    const movers = this.#moverWords;
    for (const end = 1 + movers; at < end; at++) {
      const differs = words[from + at]! ^ row[at]!;
      const hidden = words[from + at + movers]!;
      const rowHidden = row[at + movers]!;
      if ((~hidden & (differs | rowHidden)) !== 0) order &= 2;
      if ((~rowHidden & (differs | hidden)) !== 0) order &= 1;
      if (order === 0) return 0;
    }
    at += movers;
    for (const end = at + this.#observerWords; at < end; at++) {
      const placed = words[from + at]!;
      const rowPlaced = row[at]!;
      if ((rowPlaced & ~placed) !== 0) order &= 2;
      if ((placed & ~rowPlaced) !== 0) order &= 1;
    }
    if (order === 0) return 0;
    for (const end = at + this.#counts; at < end; at++) {
      const difference = words[from + at]! - row[at]!;
      if (difference > 0) order &= 2;
      else if (difference < 0) order &= 1;
    }
    return order;
  }

  #hash(words: Int32Array, from: number): number {
    let hash = 0x9e3779b9;
    for (let i = from; i < from + this.width; i++) {
      hash = Math.imul(hash ^ words[i]!, 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #holds(row: Int32Array): boolean {
    const mask = this.#table.length - 1;
    for (let slot = this.#hash(row, 0) & mask; ; slot = (slot + 1) & mask) {
      const at = this.#table[slot]!;
      if (at === NOT) return false;
      const from = at * this.width;
      let i = 0;
      while (i < this.width && this.words[from + i] === row[i]) i++;
      if (i === this.width) return true;
    }
  }

  #append(row: Int32Array, trail: number): void {
    const { width } = this;
    if ((this.length + 1) * width > this.words.length) {
      this.words = wider(this.words, Math.max(this.words.length, width) * 2);
    }
    if (this.length === this.trails.length) {
      const room = this.length * 2;
      this.trails = wider(this.trails, room);
      this.#chain = wider(this.#chain, room);
      this.#slots = wider(this.#slots, room);
    }
    const at = this.length++;
    const from = at * width;
    for (let i = 0; i < width; i++) this.words[from + i] = row[i]!;
    this.trails[at] = trail;
    this.live++;
    const state = row[0]!;
    this.#chain[at] = this.#firstOf[state]!;
    this.#firstOf[state] = at;
    this.#enter(at);
  }

  #enter(at: number): void {
    const mask = this.#table.length - 1;
    let slot = this.#hash(this.words, at * this.width) & mask;
    while (this.#table[slot] !== NOT) slot = (slot + 1) & mask;
    this.#table[slot] = at;
    this.#slots[at] = slot;
  }

  #rehash(): void {
    this.#table = new Int32Array(this.#table.length * 4).fill(NOT);
    for (let at = 0; at < this.length; at++) this.#enter(at);
  }

  #reserveStates(state: number): void {
    this.#firstOf = wider(this.#firstOf, 2 * (state + 1));
    this.#stampOf = wider(this.#stampOf, 2 * (state + 1));
  }
}

function wider(words: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const more = new Int32Array(length);
  more.set(words);
  return more;
}
