import type { Value } from '../history/op.ts';
import { Column } from './column.ts';
import { NONE, type Transactions } from './transactions.ts';

const EMPTY: readonly number[] = [];

/**
 * The lists that transactions read. Keeping each would cost as much as the history: as long as reads of a key agree,
 * all of them are beginnings of one list, and a read is no more than its length. A list that disagrees with the
 * longest one before it is kept as a branch of its own.
 */
export class ListReads {
  /** By operation: the branch that its list is a beginning of (`NONE` of an empty one), and how long it is. */
  readonly #branch: Column;
  readonly length: Column;
  /** By branch: its elements, as numbers of values; its key; how much of it is a beginning of its key's longest. */
  readonly #elements: number[][] = [];
  readonly #keyOf: number[] = [];
  readonly #agreeing: number[] = [];
  /** By key: the longest branch. */
  readonly #longest = new Column();
  /** By key: the operation that read its longest list first; `NONE` when it was only ever read empty. */
  readonly longestAt = new Column();

  // The list that is being read: its key, the branch it agrees with so far, and how much of it has come.
  #key = 0;
  #now: number[] = [];
  #at = 0;
  #isNew = false;
  #lengthBefore = 0;

  /** @param operations a guess of their number */
  constructor(operations: number) {
    this.#branch = new Column(operations);
    this.length = new Column(operations);
  }

  /** Begins a list that was read from a key. */
  start(key: number): void {
    while (this.#longest.length <= key) {
      this.#longest.push(NONE);
      this.longestAt.push(NONE);
    }
    const longest = this.#longest.data[key]!;
    this.#key = key;
    this.#at = 0;
    this.#isNew = longest === NONE;
    this.#now = this.#isNew ? [] : this.#elements[longest]!;
    this.#lengthBefore = this.#now.length;
  }

  /** The next element. */
  element(id: number): void {
    const now = this.#now;
    if (this.#at === now.length) now.push(id);
    else if (now[this.#at] !== id) {
      this.#now = now.slice(0, this.#at);
      this.#now.push(id);
      this.#isNew = true;
    }
    this.#at++;
  }

  /** Ends the list: it is what the operation read. */
  end(operation: number): void {
    let branch = this.#longest.data[this.#key]!;
    if (this.#isNew && this.#at > 0) {
      branch = this.#elements.length;
      this.#elements.push(this.#now);
      this.#keyOf.push(this.#key);
    }
    if (this.#at > this.#lengthBefore) {
      this.#longest.data[this.#key] = branch;
      this.longestAt.data[this.#key] = operation;
    }
    this.#fill(operation);
    this.#branch.push(branch);
    this.length.push(this.#at);
  }

  #fill(operations: number): void {
    while (this.length.length < operations) {
      this.#branch.push(NONE);
      this.length.push(0);
    }
  }

  /** After the last read. */
  finish(table: Transactions): void {
    this.#fill(table.kind.length);
    while (this.#longest.length < table.keys) {
      this.#longest.push(NONE);
      this.longestAt.push(NONE);
    }
    for (const [branch, elements] of this.#elements.entries()) {
      const longest = this.longest(this.#keyOf[branch]!);
      let length = 0;
      while (length < elements.length && elements[length] === longest[length]) length++;
      this.#agreeing.push(length);
    }
  }

  /** The longest list that was read from a key, as numbers of values. */
  longest(key: number): readonly number[] {
    const branch = this.#longest.data[key]!;
    return branch === NONE ? EMPTY : this.#elements[branch]!;
  }

  /** Whether a read is a beginning of the longest list of its key. */
  agrees(operation: number): boolean {
    const branch = this.#branch.data[operation]!;
    return branch === NONE || this.length.data[operation]! <= this.#agreeing[branch]!;
  }

  /** One element of what an operation read, as the number of its value. */
  elementOf(operation: number, at: number): number {
    return this.#elements[this.#branch.data[operation]!]![at]!;
  }

  /** Whether one list is a beginning of another. */
  isBeginning(operation: number, of: number): boolean {
    const length = this.length.data[operation]!;
    if (length > this.length.data[of]!) return false;
    if (this.#branch.data[operation] === this.#branch.data[of]) return true;
    for (let at = 0; at < length; at++) if (this.elementOf(operation, at) !== this.elementOf(of, at)) return false;
    return true;
  }

  /** What an operation read. */
  list(operation: number, table: Transactions): Value[] {
    return Array.from({ length: this.length.data[operation]! }, (_, at) => table.value(this.elementOf(operation, at)));
  }
}
