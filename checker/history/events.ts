import type { Op, OpType, Value } from './op.ts';

/**
 * A reference to a value inside an `Events`: one more than a number from 0 to 2^30-1, or a negative one for an
 * interned value, so that the common histories need no table of values at all.
 */
export type Ref = number;

/** The reference to `null`. */
export const NULL: Ref = -1;
/**
 * No value at all: an operation without `key`, a value that is not a pair. That is what fresh memory holds, so that
 * what is hardly used of a column is never touched, and costs nothing.
 */
export const NONE: Ref = 0;
/**
 * In `b`: the value of a transaction, which is left as it was written, since interning every one of them would cost
 * more than judging them. `a` is where it begins in `source`, or `NULL` where only `valueAt` has it.
 */
export const UNREAD: Ref = -0x80000000;
/** The function whose values are left unread. */
const TRANSACTION = 'txn';
/** The process of whatever is not a client: faults, notes of the harness. */
export const NO_PROCESS = -1;

export const INVOKE = 0;
export const OK = 1;
export const FAIL = 2;
export const INFO = 3;
const TYPES: readonly OpType[] = ['invoke', 'ok', 'fail', 'info'];
const TYPE_OF: { readonly [type in OpType]: number } = { invoke: INVOKE, ok: OK, fail: FAIL, info: INFO };

/** The largest integer that needs no table. */
const INTEGER_MAX = 0x3fffffff;

/** Equal values have equal texts, whatever the order of an object's members. */
export function canonical(value: Value): string {
  if (value === null || typeof value !== 'object') return Object.is(value, -0) ? '0' : JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
}

/** The columns alone, to be sent to another thread. Whole operations stay behind. */
export interface PackedEvents {
  readonly length: number;
  readonly columns: readonly (Uint8Array | Uint16Array | Int32Array)[];
  readonly names: readonly string[];
  readonly values: readonly Value[];
}

/**
 * A history in columns: what checkers that must be fast read, 27 bytes an event. A value is one reference in
 * `a`, or two in `a` and `b` when it is a list of two (a cas, a key with its value).
 */
export class Events {
  length = 0;
  type: Uint8Array<ArrayBuffer>;
  process: Int32Array<ArrayBuffer>;
  f: Uint16Array<ArrayBuffer>;
  key: Int32Array<ArrayBuffer>;
  a: Int32Array<ArrayBuffer>;
  b: Int32Array<ArrayBuffer>;
  error: Int32Array<ArrayBuffer>;
  /** Names of functions, by the numbers in `f`. */
  readonly names: string[] = [];
  /** Whether there is anything in `b`: where not, it is better left alone. */
  paired = false;
  /** The bytes that the history was read from. */
  readonly source: Uint8Array | undefined;
  #nameIds = new Map<string, number>();
  #values: Value[] = [null];
  #refs = new Map<string, Ref>([['null', NULL]]);
  /** How to get an event's whole operation again, where the columns do not hold all of it. */
  #whole: (index: number) => Op;

  constructor(capacity: number, whole: (index: number) => Op, source?: Uint8Array) {
    this.#whole = whole;
    this.source = source;
    this.type = new Uint8Array(capacity);
    this.process = new Int32Array(capacity);
    this.f = new Uint16Array(capacity);
    this.key = new Int32Array(capacity);
    this.a = new Int32Array(capacity);
    this.b = new Int32Array(capacity);
    this.error = new Int32Array(capacity);
  }

  static of(ops: readonly Op[]): Events {
    const events = new Events(ops.length, (index) => ops[index]!);
    for (const op of ops) events.push(op);
    return events;
  }

  pack(): PackedEvents {
    for (let at = 0; at < this.length; at++) if (this.b[at] === UNREAD) this.setValue(at, this.valueAt(at));
    const columns = [this.type, this.process, this.f, this.key, this.a, this.b, this.error];
    return {
      length: this.length,
      columns: columns.map((one) => one.slice(0, this.length)),
      names: this.names,
      values: this.#values,
    };
  }

  static unpack(packed: PackedEvents): Events {
    const events = new Events(packed.length, () => {
      throw new Error('whole operations are not sent between threads');
    });
    const mine = [events.type, events.process, events.f, events.key, events.a, events.b, events.error];
    for (const [at, column] of mine.entries()) column.set(packed.columns[at]!);
    events.length = packed.length;
    events.paired = true;
    for (const name of packed.names) events.name(name);
    for (const value of packed.values.slice(1)) {
      events.#values.push(value);
      events.#refs.set(canonical(value), -events.#values.length);
    }
    return events;
  }

  push(op: Op): void {
    const at = this.add();
    this.type[at] = TYPE_OF[op.type];
    this.process[at] = op.process === 'nemesis' ? NO_PROCESS : op.process;
    this.f[at] = this.name(op.f);
    this.key[at] = op.key === undefined ? NONE : this.ref(op.key);
    if (op.f === TRANSACTION && Array.isArray(op.value)) {
      this.a[at] = NULL;
      this.b[at] = UNREAD;
      this.paired = true;
    } else this.setValue(at, op.value ?? null);
    if (op.error !== undefined) this.error[at] = this.ref(op.error);
  }

  /** Makes room for one more event and returns its index; its columns are the caller's to fill. */
  add(): number {
    if (this.length === this.type.length) this.#grow();
    return this.length++;
  }

  setValue(at: number, value: Value): void {
    if (Array.isArray(value) && value.length === 2) {
      this.a[at] = this.ref(value[0] as Value);
      this.b[at] = this.ref(value[1] as Value);
      this.paired = true;
    } else {
      this.a[at] = this.ref(value);
      this.b[at] = NONE;
    }
  }

  name(f: string): number {
    let id = this.#nameIds.get(f);
    if (id === undefined) {
      id = this.names.length;
      if (id > 0xffff) throw new RangeError('more than 65,536 different functions in one history');
      this.names.push(f);
      this.#nameIds.set(f, id);
    }
    return id;
  }

  /** The reference to a value. Equal values have equal references. */
  ref(value: Value): Ref {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= INTEGER_MAX) return value + 1;
    const text = canonical(value);
    let ref = this.#refs.get(text);
    if (ref === undefined) {
      this.#values.push(value);
      ref = -this.#values.length;
      this.#refs.set(text, ref);
    }
    return ref;
  }

  value(ref: Ref): Value {
    if (ref > 0) return ref - 1;
    const value = this.#values[-1 - ref];
    if (value === undefined) throw new RangeError(`no value has the reference ${ref}`);
    return value;
  }

  /** The value of an event, put together again. */
  valueAt(at: number): Value {
    if (!this.paired) return this.value(this.a[at]!);
    if (this.b[at] === UNREAD) return this.#whole(at).value ?? null;
    const a = this.value(this.a[at]!);
    return this.b[at] === NONE ? a : [a, this.value(this.b[at]!)];
  }

  /** The whole operation, as it was recorded. */
  op(index: number): Op {
    return this.#whole(index);
  }

  /** Every operation. Costs what the columns save: for checkers and reports that read whole operations. */
  ops(): Op[] {
    return Array.from({ length: this.length }, (_, index) => this.#whole(index));
  }

  typeAt(at: number): OpType {
    return TYPES[this.type[at]!]!;
  }

  #grow(): void {
    const capacity = Math.max(1024, this.length * 2);
    const wider = <T extends Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(
      old: T,
      fresh: T,
    ): T => {
      fresh.set(old);
      return fresh;
    };
    this.type = wider(this.type, new Uint8Array(capacity));
    this.process = wider(this.process, new Int32Array(capacity));
    this.f = wider(this.f, new Uint16Array(capacity));
    this.key = wider(this.key, new Int32Array(capacity));
    this.a = wider(this.a, new Int32Array(capacity));
    this.b = wider(this.b, new Int32Array(capacity));
    this.error = wider(this.error, new Int32Array(capacity));
  }
}
