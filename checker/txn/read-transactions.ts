import { type Events, NO_PROCESS, UNREAD } from '../history/events.ts';
import type { History, Op, OpType, Value } from '../history/op.ts';
import type { ListReads } from './list-reads.ts';
import { TransactionBytes } from './transaction-bytes.ts';
import { FAIL, INFO, NONE, OK, type Sizes, TransactionError, Transactions } from './transactions.ts';

/** What a model makes of the value of a transaction. */
export interface TransactionReader {
  /** Adds the micro-operations of the transaction that the table has begun. */
  add(table: Transactions, operations: readonly Value[], about: About): void;
  /** What takes part in reading them without making values: the name of a write, and where lists go. */
  readonly fast?: { readonly write: string; readonly lists?: ListReads };
}

/** Which transaction it is. */
interface About {
  readonly status: number;
  /** Where in the history it completed, or, if it never did, was invoked. */
  readonly at: number;
  readonly f: string;
}

/**
 * Pairs invocations with completions, and hands each transaction's value to a reader. An invocation without a
 * completion is a transaction of unknown outcome. A completion without an invocation (histories made by hand) is
 * taken as it stands: nothing is known of when it began.
 *
 * @throws TransactionError when an operation is not a list of micro-operations.
 */
export function readTransactions(history: History | Events, reader: TransactionReader): Transactions {
  const source = isList(history) ? new Ops(history) : new Columns(history);
  const table = new Transactions(source.sizes());
  const { fast } = reader;
  const bytes =
    fast !== undefined && source.bytes !== undefined
      ? new TransactionBytes(source.bytes, table, fast.write, fast.lists)
      : undefined;
  /** Adds the transaction that has the value of one event, and completed at another. */
  const add = (status: number, valueAt: number, at: number): void => {
    const place = valueAt === NONE || bytes === undefined ? NONE : source.placeAt(valueAt);
    if (place !== NONE && bytes?.add(place, status)) return;
    const f = source.fAt(at);
    const value = valueAt === NONE ? undefined : source.valueAt(valueAt);
    reader.add(table, operations(value, f, at), { status, at, f });
    if (place !== NONE) throw new Error(`operation ${at} could not be read from its bytes`);
  };
  const open = new Map<number, number[]>();
  for (let at = 0; at < source.length; at++) {
    const process = source.processAt(at);
    if (process === NO_PROCESS) continue;
    const type = source.typeAt(at);
    const pending = open.get(process);
    if (type === 'invoke') {
      if (pending) pending.push(at);
      else open.set(process, [at]);
      continue;
    }
    const invoked = pending?.shift() ?? NONE;
    const status = type === 'ok' ? OK : type === 'info' ? INFO : FAIL;
    table.begin(status, process, invoked, at);
    add(status, status === OK || source.hasList(at) ? at : invoked, at);
  }
  const unfinished = [...open.values()].flat().sort((a, b) => a - b);
  for (const at of unfinished) {
    table.begin(INFO, source.processAt(at), at, NONE);
    add(INFO, at, at);
  }
  table.end();
  return table;
}

/** What is needed of a history. */
interface Source {
  readonly length: number;
  readonly bytes: Uint8Array | undefined;
  sizes(): Sizes;
  typeAt(at: number): OpType;
  processAt(at: number): number;
  fAt(at: number): string;
  valueAt(at: number): Value | undefined;
  hasList(at: number): boolean;
  /** Where in the bytes the value of an event begins; `NONE` when it is not to be had there. */
  placeAt(at: number): number;
}

class Ops implements Source {
  readonly bytes = undefined;
  readonly length: number;
  readonly #ops: History;

  constructor(ops: History) {
    this.#ops = ops;
    this.length = ops.length;
  }

  sizes(): Sizes {
    let [transactions, operations] = [0, 0];
    for (const { type, value } of this.#ops) {
      if (type === 'invoke') continue;
      transactions++;
      if (Array.isArray(value)) operations += value.length;
    }
    return { events: this.length, transactions, operations };
  }

  typeAt(at: number): OpType {
    return this.#ops[at]!.type;
  }

  processAt(at: number): number {
    const { process } = this.#ops[at]!;
    return process === 'nemesis' ? NO_PROCESS : process;
  }

  fAt(at: number): string {
    return this.#ops[at]!.f;
  }

  valueAt(at: number): Value | undefined {
    return this.#ops[at]!.value;
  }

  hasList(at: number): boolean {
    return Array.isArray(this.#ops[at]!.value);
  }

  placeAt(): number {
    return NONE;
  }
}

class Columns implements Source {
  readonly length: number;
  readonly bytes: Uint8Array | undefined;
  readonly #events: Events;

  constructor(events: Events) {
    this.#events = events;
    this.length = events.length;
    this.bytes = events.source;
  }

  sizes(): Sizes {
    return { events: this.length, transactions: this.length >> 1, operations: Math.ceil(this.length * 1.25) };
  }

  typeAt(at: number): OpType {
    return this.#events.typeAt(at);
  }

  processAt(at: number): number {
    return this.#events.process[at]!;
  }

  fAt(at: number): string {
    return this.#events.names[this.#events.f[at]!]!;
  }

  valueAt(at: number): Value {
    return this.#events.valueAt(at);
  }

  hasList(at: number): boolean {
    return this.#events.b[at] === UNREAD || Array.isArray(this.valueAt(at));
  }

  placeAt(at: number): number {
    return this.#events.b[at] === UNREAD ? this.#events.a[at]! : NONE;
  }
}

function isList(history: History | Events): history is History {
  return Array.isArray(history);
}

function operations(value: Value | undefined, f: string, at: number): readonly Value[] {
  if (Array.isArray(value)) return value as readonly Value[];
  // The first operation of a closed-predicate history holds the universe.
  if (f === 'init' && typeof value === 'object' && value !== null) {
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
