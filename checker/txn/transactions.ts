import { canonical, type Events, NO_PROCESS } from '../history/events.ts';
import type { History, Op, Value } from '../history/op.ts';
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

const SMALL_MAX = 0x3fffffff;

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
  /** Of a read of a list: what was read. */
  readonly lists: (readonly Value[] | undefined)[];
  /** The operation before it on the same key in the same transaction. */
  readonly previous: Column;

  readonly versionKey: Column;
  readonly #versionValue: Column;
  #slots: Int32Array;

  readonly #keys = new Interner();
  readonly #values = new Interner();
  readonly #lastUse = new Column();

  /** How many events the history has. */
  events = 0;

  /** The arguments are guesses, which only save copies. */
  constructor(transactions: number, operations: number) {
    this.status = new ByteColumn(transactions);
    this.process = new Column(transactions);
    this.invoked = new Column(transactions);
    this.completed = new Column(transactions);
    this.first = new Column(transactions + 1);
    this.kind = new ByteColumn(operations);
    this.key = new Column(operations);
    this.version = new Column(operations);
    this.lists = new Array(operations);
    this.previous = new Column(operations);
    this.versionKey = new Column(operations >> 1);
    this.#versionValue = new Column(operations >> 1);
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
    const id = this.#versionValue.data[version]!;
    return id <= SMALL_MAX ? id : this.#values.value(id - SMALL_MAX - 1);
  }

  /** The position in the history by which a transaction is named: its completion, or else its invocation. */
  op(t: number): number {
    const completed = this.completed.data[t]!;
    return completed === NONE ? this.invoked.data[t]! : completed;
  }

  /** The version of a key that has this value. */
  versionOf(key: number, value: Value): number {
    const id =
      typeof value === 'number' && value >= 0 && value <= SMALL_MAX && Number.isInteger(value)
        ? value + 0
        : SMALL_MAX + 1 + this.#values.id(value);
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
    return this.#keys.id(value);
  }

  read(key: number, version: number, list: readonly Value[] | undefined): void {
    if (list !== undefined) this.lists[this.kind.length] = list;
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
    while (this.#lastUse.length <= key) this.#lastUse.push(NONE);
    const last = this.#lastUse.data[key]!;
    this.previous.push(last >= this.first.data[this.count - 1]! ? last : NONE);
    this.#lastUse.data[key] = at;
  }

  /** Closes the table: `first` gets its last entry. */
  end(): void {
    this.first.push(this.kind.length);
  }
}

/** Sixteen values in a row share a cache line: histories write a key's values one after the other. */
function slotOf(key: number, value: number): number {
  let h = Math.imul(key, 0x9e3779b1) ^ Math.imul(value >>> 4, 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return ((h ^ (h >>> 13)) << 4) | (value & 15);
}

interface Open {
  readonly at: number;
  readonly op: Op;
}

/**
 * Pairs invocations with completions, and hands each transaction's value to `add`. An invocation without a
 * completion is a transaction of unknown outcome. A completion without an invocation (histories made by hand) is
 * taken as it stands: nothing is known of when it began.
 *
 * @throws TransactionError when an operation is not a list of micro-operations.
 */
export function readTransactions(
  history: History | Events,
  add: (table: Transactions, op: Op, value: readonly Value[]) => void,
): Transactions {
  const table = new Transactions(...sizes(history));
  const open = new Map<number, Open[]>();
  table.events = history.length;
  eachOp(history, (op, at) => {
    if (typeof op.process !== 'number') return;
    if (op.type === 'invoke') {
      const pending = open.get(op.process);
      if (pending) pending.push({ at, op });
      else open.set(op.process, [{ at, op }]);
      return;
    }
    const invocation = open.get(op.process)?.shift();
    const status = op.type === 'ok' ? OK : op.type === 'info' ? INFO : FAIL;
    const value = Array.isArray(op.value) || status === OK ? op.value : invocation?.op.value;
    table.begin(status, op.process, invocation?.at ?? NONE, at);
    add(table, op, operations(value, op, at));
  });
  const unfinished = [...open.values()].flat().sort((a, b) => a.at - b.at);
  for (const { at, op } of unfinished) {
    table.begin(INFO, op.process as number, at, NONE);
    add(table, op, operations(op.value, op, at));
  }
  table.end();
  return table;
}

/** Every operation of a history with its position. */
export function eachOp(history: History | Events, visit: (op: Op, at: number) => void): void {
  if (isList(history)) for (let at = 0; at < history.length; at++) visit(history[at]!, at);
  else for (let at = 0; at < history.length; at++) visit(eventAt(history, at), at);
}

/** What a checker of transactions needs of an event, from the columns: cheaper than its whole line again. */
function eventAt(events: Events, at: number): Op {
  const process = events.process[at]!;
  return {
    index: at,
    time: 0,
    process: process === NO_PROCESS ? 'nemesis' : process,
    type: events.typeAt(at),
    f: events.names[events.f[at]!]!,
    value: events.valueAt(at),
  };
}

function isList(history: History | Events): history is History {
  return Array.isArray(history);
}

/** How many transactions and operations a history has, or may have. */
function sizes(history: History | Events): [transactions: number, operations: number] {
  if (!isList(history)) return [history.length >> 1, history.length];
  let [transactions, operations] = [0, 0];
  for (const { type, value } of history) {
    if (type === 'invoke') continue;
    transactions++;
    if (Array.isArray(value)) operations += value.length;
  }
  return [transactions, operations];
}

function operations(value: Value | undefined, op: Op, at: number): readonly Value[] {
  if (Array.isArray(value)) return value as readonly Value[];
  // The first operation of a closed-predicate history holds the universe.
  if (op.f === 'init' && typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([key, member]) => ['w', key, member] as const);
  }
  throw new TransactionError(`operation ${at} is no transaction: its value must be a list of micro-operations`);
}

/** The parts of a micro-operation: `["append", key, value]`. @throws TransactionError when it is none. */
export function microOperation(mop: Value, allowed: readonly string[]): readonly Value[] {
  if (Array.isArray(mop) && mop.length >= 2 && allowed.includes(mop[0] as string)) return mop as readonly Value[];
  throw new TransactionError(
    `${JSON.stringify(mop)} is no micro-operation of this model: it must start with ${allowed.map((f) => `"${f}"`).join(' or ')}`,
  );
}
