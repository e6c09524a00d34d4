import { canonical } from '../history/events.ts';
import type { Value } from '../history/op.ts';
import { ByteColumn, Column } from './column.ts';

export const READ = 0;
export const WRITE = 1;

export const OK = 0;
export const INFO = 1;
export const FAIL = 2;

/** No index, no transaction, no version. */
export const NONE = -1;

/** The history is not one of transactions as the model needs them; the message says where and why. */
export class TransactionError extends Error {
  override readonly name = 'TransactionError';
}

/** A value's number; integers from 0 to here are their own. */
const SMALL_MAX = 0x3fffffff;
/** Keys that are integers below this are found in a table. */
const NEAR_KEYS = 1 << 20;

/** Gives values small numbers. Equal values have equal numbers. */
class Interner {
  readonly #values: Value[] = [];
  readonly #ids = new Map<string | number | boolean, number>();

  id(value: Value): number {
    const name = typeof value === 'number' ? value + 0 : `${typeof value === 'string' ? '"' : ''}${text(value)}`;
    let id = this.#ids.get(name);
    if (id === undefined) {
      id = this.#values.length;
      this.#values.push(value);
      this.#ids.set(name, id);
    }
    return id;
  }

  value(id: number): Value {
    return this.#values[id]!;
  }

  get size(): number {
    return this.#values.length;
  }
}

function text(value: Value): string {
  return typeof value === 'string' ? value : canonical(value);
}

/** How large a history is, as far as that can be guessed: it only saves copies. */
export interface Sizes {
  readonly events: number;
  readonly transactions: number;
  readonly operations: number;
}

/**
 * The transactions of a history, in columns: those that completed in the order in which they did, then those that
 * never did. Micro-operations of transaction `t` are `first[t]` to `first[t + 1]`. A version is a key with a value
 * that was written to it, or read from it.
 */
export class Transactions {
  count = 0;
  readonly status: ByteColumn;
  readonly process: Column;
  /** Positions in the history; `NONE` when it holds no such event. */
  readonly invoked: Column;
  readonly completed: Column;
  readonly first: Column;

  readonly kind: ByteColumn;
  readonly key: Column;
  /** Of a write, and of a read of a register: what was written, or read. `NONE` for a read of a list. */
  readonly version: Column;
  /** The operation before it on the same key in the same transaction. */
  readonly previous: Column;

  readonly versionKey: Column;
  readonly #versionValue: Column;
  #slots: Int32Array;

  readonly #keys = new Interner();
  /** By key that is a small integer: its number, plus one. */
  readonly #near = new Column();
  readonly #values = new Interner();
  readonly #lastUse = new Column();

  /** By event: the transaction that it invoked, plus one; or, negated, the one that it completed. */
  #moments: Int32Array | undefined;

  /** How many events the history has. */
  readonly events: number;

  constructor({ events, transactions, operations }: Sizes) {
    this.events = events;
    this.status = new ByteColumn(transactions);
    this.process = new Column(transactions);
    this.invoked = new Column(transactions);
    this.completed = new Column(transactions);
    this.first = new Column(transactions + 1);
    this.kind = new ByteColumn(operations);
    this.key = new Column(operations);
    this.version = new Column(operations);
    this.previous = new Column(operations);
    // Every second operation writes, and some keys have a version that nobody wrote.
    const versions = Math.ceil(operations * 0.6);
    this.versionKey = new Column(versions);
    this.#versionValue = new Column(versions);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(operations + 1024)));
  }

  get keys(): number {
    return this.#keys.size;
  }

  get versions(): number {
    return this.versionKey.length;
  }

  keyValue(key: number): Value {
    return this.#keys.value(key);
  }

  versionValue(version: number): Value {
    return this.value(this.#versionValue.data[version]!);
  }

  /** The number of a version's value. */
  versionValueId(version: number): number {
    return this.#versionValue.data[version]!;
  }

  /** The position in the history by which a transaction is named: its completion, or else its invocation. */
  op(t: number): number {
    const completed = this.completed.data[t]!;
    return completed === NONE ? this.invoked.data[t]! : completed;
  }

  /** A value's number. Equal values have equal numbers. */
  valueId(value: Value): number {
    return typeof value === 'number' && value >= 0 && value <= SMALL_MAX && Number.isInteger(value)
      ? value + 0
      : SMALL_MAX + 1 + this.#values.id(value);
  }

  /** The value that has a number. */
  value(id: number): Value {
    return id <= SMALL_MAX ? id : this.#values.value(id - SMALL_MAX - 1);
  }

  /** The version of a key that has the value with this number. */
  versionOf(key: number, id: number): number {
    let slots = this.#slots;
    if (this.versions * 2 >= slots.length) slots = this.#rehash();
    const mask = slots.length - 1;
    let at = slotOf(key, id) & mask;
    for (; slots[at] !== 0; at = (at + 1) & mask) {
      const version = slots[at]! - 1;
      if (this.versionKey.data[version] === key && this.#versionValue.data[version] === id) return version;
    }
    const version = this.versions;
    this.versionKey.push(key);
    this.#versionValue.push(id);
    slots[at] = version + 1;
    return version;
  }

  #rehash(): Int32Array {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let version = 0; version < this.versions; version++) {
      let at = slotOf(this.versionKey.data[version]!, this.#versionValue.data[version]!) & mask;
      while (slots[at] !== 0) at = (at + 1) & mask;
      slots[at] = version + 1;
    }
    this.#slots = slots;
    return slots;
  }

  /** Starts a transaction; its operations follow. */
  begin(status: number, process: number, invoked: number, completed: number): void {
    this.status.push(status);
    this.process.push(process);
    this.invoked.push(invoked);
    this.completed.push(completed);
    this.first.push(this.kind.length);
    this.count++;
  }

  keyOf(value: Value): number {
    if (typeof value !== 'number' || value < 0 || value >= NEAR_KEYS || !Number.isInteger(value)) {
      return this.#internKey(value);
    }
    while (this.#near.length <= value) this.#near.push(0);
    const known = this.#near.data[value]!;
    if (known !== 0) return known - 1;
    const key = this.#internKey(value);
    this.#near.data[value] = key + 1;
    return key;
  }

  #internKey(value: Value): number {
    const key = this.#keys.id(value);
    if (key === this.#lastUse.length) this.#lastUse.push(NONE);
    return key;
  }

  read(key: number, version: number): void {
    this.#operation(READ, key, version);
  }

  write(key: number, version: number): void {
    this.#operation(WRITE, key, version);
  }

  #operation(kind: number, key: number, version: number): void {
    const at = this.kind.length;
    this.kind.push(kind);
    this.key.push(key);
    this.version.push(version);
    const last = this.#lastUse.data[key]!;
    this.previous.push(last >= this.first.data[this.count - 1]! ? last : NONE);
    this.#lastUse.data[key] = at;
  }

  /** Closes the table: `first` gets its last entry. */
  end(): void {
    this.first.push(this.kind.length);
  }

  /**
   * Walks through time: each transaction when it was invoked, and those that completed with `ok` when they did. For
   * a table that is closed.
   */
  eachMoment(invoked: (t: number) => void, completed: (t: number) => void): void {
    this.#moments ??= this.#timeline();
    const moments = this.#moments;
    // By index, as an iterator makes an object for each.
    for (let at = 0; at < moments.length; at++) {
      const moment = moments[at]!;
      if (moment > 0) invoked(moment - 1);
      else if (moment < 0) completed(-1 - moment);
    }
  }

  #timeline(): Int32Array {
    const moments = new Int32Array(this.events);
    for (let t = 0; t < this.count; t++) {
      if (this.invoked.data[t] !== NONE) moments[this.invoked.data[t]!] = t + 1;
      if (this.status.data[t] === OK && this.completed.data[t] !== NONE) moments[this.completed.data[t]!] = -1 - t;
    }
    return moments;
  }

  /** The transaction that an operation belongs to. */
  transactionOf(operation: number): number {
    const first = this.first.data;
    let [low, high] = [0, this.count];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (first[middle]! <= operation) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** Sixteen values in a row share a cache line: histories write a key's values one after the other. */
function slotOf(key: number, value: number): number {
  let h = Math.imul(key, 0x9e3779b1) ^ Math.imul(value >>> 4, 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return ((h ^ (h >>> 13)) << 4) | (value & 15);
}
