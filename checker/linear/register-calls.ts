import { type CallListener, type Calls, OPEN } from '../history/calls.ts';
import { type Events, NONE, NULL, OK, type Ref, UNREAD } from '../history/events.ts';
import { HistoryError } from '../history/history-error.ts';
import type { Model } from '../model/model.ts';
import { type FailedCas, failedAs } from './operations.ts';

export const READ = 0;
export const WRITE = 1;
export const CAS = 2;
/** A compare that was answered "different". */
export const MISMATCH = 3;
/** A call that constrains nothing: it did not happen, or was a read that nobody heard the answer of. */
export const NOTHING = 4;
/** Not a register's. */
const OTHER = 255;

/** The calls on one register, in order of invocation. */
export interface RegisterCalls {
  readonly length: number;
  readonly kind: Uint8Array;
  /** What was read, written, or expected. */
  readonly first: Int32Array;
  /** What a cas sets. */
  readonly second: Int32Array;
  /** Positions: any numbers that grow with the history. */
  readonly invoke: Int32Array;
  readonly complete: Int32Array;
  readonly initial: Ref;
}

const KINDS: { readonly [f: string]: number } = {
  read: READ,
  get: READ,
  write: WRITE,
  put: WRITE,
  delete: WRITE,
  cas: CAS,
};

/**
 * The calls of a whole history as calls on registers, by key. Listens while they are paired.
 */
export class Registers implements CallListener {
  readonly #events: Events;
  readonly #model: Model<unknown>;
  readonly #failedCas: FailedCas | undefined;
  /** Kinds by the number of a function. */
  readonly #kinds: Uint8Array;
  readonly #deletes: number;
  readonly #kind: Uint8Array;
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  /** What a failed cas says depends on its error alone, and errors repeat. */
  #lastError = UNREAD;
  #isRefusal = false;
  /** Whether there is a cas of something that is no pair. */
  #unpaired = false;

  constructor(events: Events, length: number, model: Model<unknown>, failedCas: FailedCas | undefined) {
    this.#events = events;
    this.#model = model;
    this.#failedCas = failedCas;
    const known = model.functions ?? [];
    this.#kinds = Uint8Array.from(events.names, (f) => (known.includes(f) ? (KINDS[f] ?? OTHER) : OTHER));
    this.#deletes = events.names.indexOf('delete');
    this.#kind = new Uint8Array(length);
    this.#first = new Int32Array(length);
    this.#second = new Int32Array(length);
  }

  invoked(i: number, at: number): void {
    const events = this.#events;
    const k = this.#kinds[events.f[at]!]!;
    // Nobody hears the answer, unless it completes.
    this.#kind[i] = k === READ ? NOTHING : k;
    if (k === WRITE) this.#first[i] = events.f[at] === this.#deletes ? NULL : this.#valueOf(at);
    else if (k === CAS) {
      this.#first[i] = events.a[at]!;
      this.#second[i] = events.b[at]!;
      if (events.b[at] === NONE) this.#unpaired = true;
      // A cas to the same value is a read of it.
      else if (events.a[at] === events.b[at]) this.#kind[i] = NOTHING;
    }
  }

  completed(i: number, invoke: number, complete: number): void {
    const events = this.#events;
    const k = this.#kinds[events.f[invoke]!]!;
    if (events.type[complete] === OK) {
      if (k === READ) {
        this.#kind[i] = READ;
        this.#first[i] = this.#valueOf(complete);
      } else if (k === CAS && this.#first[i] === this.#second[i]) this.#kind[i] = READ;
      return;
    }
    // A call that failed did not happen; a cas may have told why.
    if (k === CAS && events.error[complete] !== this.#lastError) {
      this.#lastError = events.error[complete]!;
      this.#isRefusal = failedAs(events, this.#model, invoke, complete, this.#failedCas) === 'refused';
    }
    if (k !== OTHER) this.#kind[i] = k === CAS && this.#isRefusal ? MISMATCH : NOTHING;
  }

  #valueOf(at: number): Ref {
    const events = this.#events;
    return !events.paired || events.b[at] === NONE ? events.a[at]! : events.ref(events.valueAt(at));
  }

  /** The calls at places `[from, to)`; undefined when one of them is not one that a register knows. */
  slice({ invoke, complete }: Calls, from: number, to: number, initial: Ref): RegisterCalls | undefined {
    const kind = this.#kind.subarray(from, to);
    if (kind.includes(OTHER)) return undefined;
    if (this.#unpaired) this.#refuseUnpaired(invoke, from, to);
    return {
      length: to - from,
      kind,
      first: this.#first.subarray(from, to),
      second: this.#second.subarray(from, to),
      invoke: invoke.subarray(from, to),
      complete: complete.subarray(from, to),
      initial,
    };
  }

  #refuseUnpaired(invoke: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if ((this.#kind[i] !== CAS && this.#kind[i] !== MISMATCH) || this.#second[i] !== NONE) continue;
      const at = invoke[i]!;
      throw new HistoryError(`event ${at}: cas needs [expected, new], not ${JSON.stringify(this.#events.valueAt(at))}`);
    }
  }
}

/** What was known at position `end`: calls that had not completed then have an unknown outcome. */
export function callsUntil(calls: RegisterCalls, end: number): RegisterCalls {
  const length = calls.invoke.findIndex((at) => at > end);
  const part = calls.invoke.subarray(0, length === -1 ? calls.length : length);
  return {
    ...calls,
    length: part.length,
    complete: Int32Array.from(part, (_, i) => (calls.complete[i]! <= end ? calls.complete[i]! : OPEN)),
    kind: Uint8Array.from(part, (_, i) => {
      const kind = calls.kind[i]!;
      return calls.complete[i]! > end && (kind === READ || kind === MISMATCH) ? NOTHING : kind;
    }),
  };
}
