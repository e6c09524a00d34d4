import { parseJson } from '../history/json.ts';
import type { Value } from '../history/op.ts';
import type { ListReads } from './list-reads.ts';
import { NONE, OK, type Transactions } from './transactions.ts';

const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const QUOTE = 0x22;
const ZERO = 0x30;
const NINE = 0x39;

/** An integer of more digits may be none that stands for itself. */
const DIGITS_MAX = 9;

/**
 * Reads transactions from the bytes in which they were recorded straight into the table: no value is made of what
 * is a small integer, as nearly everything in a history of transactions is. The bytes are known to be lists of
 * integers, nulls and strings without escapes (see `UNREAD`).
 */
export class TransactionBytes {
  readonly #bytes: Uint8Array;
  readonly #table: Transactions;
  readonly #write: string;
  readonly #lists: ListReads | undefined;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #at = 0;

  /**
   * @param write the name of a write; that of a read is `r`
   * @param lists where the lists that were read go; without it keys hold single values
   */
  constructor(bytes: Uint8Array, table: Transactions, write: string, lists: ListReads | undefined) {
    this.#bytes = bytes;
    this.#table = table;
    this.#write = write;
    this.#lists = lists;
  }

  /**
   * Adds the operations of the transaction that begins at a place.
   *
   * @returns false when they are not what the model has
   */
  add(from: number, status: number): boolean {
    const bytes = this.#bytes;
    const table = this.#table;
    this.#at = from + 1;
    for (; bytes[this.#at] !== CLOSE; this.#skip(COMMA)) {
      if (bytes[this.#at] !== OPEN) return false;
      this.#at++;
      const isWrite = this.#takes(this.#write);
      if (!isWrite && !this.#takes('r')) return false;
      if (bytes[this.#at] !== COMMA) return false;
      this.#at++;
      const key = this.#key();
      const hasValue = this.#skip(COMMA);
      if (isWrite) table.write(key, table.versionOf(key, hasValue ? this.#value() : table.valueId(null)));
      else if (this.#lists === undefined) {
        const id = hasValue ? this.#value() : table.valueId(null);
        table.read(key, status === OK ? table.versionOf(key, id) : NONE);
      } else {
        if (status === OK && !this.#list(this.#lists, key, hasValue)) return false;
        table.read(key, NONE);
      }
      while (bytes[this.#at] !== CLOSE) {
        if (bytes[this.#at] === COMMA) this.#at++;
        this.#at = this.#endOf(this.#at);
      }
      this.#at++;
    }
    return true;
  }

  /** Steps over a byte if it is there. */
  #skip(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  /** Steps over a string if it is this one. */
  #takes(name: string): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    if (bytes[at] !== QUOTE || bytes[at + 1 + name.length] !== QUOTE) return false;
    for (let i = 0; i < name.length; i++) if (bytes[at + 1 + i] !== name.charCodeAt(i)) return false;
    this.#at = at + name.length + 2;
    return true;
  }

  /** Steps over an integer that stands for itself and gives it; `NONE` and no step when there is none. */
  #integer(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    const end = at + DIGITS_MAX;
    let value = 0;
    let c = bytes[at]!;
    while (c >= ZERO && c <= NINE && at < end) {
      value = value * 10 + c - ZERO;
      c = bytes[++at]!;
    }
    if (at === this.#at || (c >= ZERO && c <= NINE)) return NONE;
    this.#at = at;
    return value;
  }

  #key(): number {
    const key = this.#integer();
    return this.#table.keyOf(key === NONE ? this.#any() : key);
  }

  /** Steps over a value and gives its number. */
  #value(): number {
    const id = this.#integer();
    return id === NONE ? this.#table.valueId(this.#any()) : id;
  }

  /** Adds the list that was read. */
  #list(lists: ListReads, key: number, hasValue: boolean): boolean {
    lists.start(key);
    if (hasValue && this.#bytes[this.#at] === OPEN) {
      this.#at++;
      if (this.#bytes[this.#at] === CLOSE) this.#at++;
      else {
        do lists.element(this.#value());
        while (this.#skip(COMMA));
        this.#at++;
      }
    } else if (hasValue && this.#any() !== null) return false;
    lists.end(this.#table.kind.length);
    return true;
  }

  /** Steps over a value of any kind. */
  #any(): Value {
    const from = this.#at;
    this.#at = this.#endOf(from);
    return parseJson(this.#decoder.decode(this.#bytes.subarray(from, this.#at))) as Value;
  }

  /** The place after a value. */
  #endOf(from: number): number {
    const bytes = this.#bytes;
    let depth = 0;
    for (let at = from; ; at++) {
      const c = bytes[at];
      if (c === QUOTE) at = bytes.indexOf(QUOTE, at + 1);
      else if (c === OPEN) depth++;
      else if (c === CLOSE && depth > 0) depth--;
      if (depth > 0) continue;
      const next = bytes[at + 1];
      if (next === COMMA || next === CLOSE) return at + 1;
    }
  }
}
