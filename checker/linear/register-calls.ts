import { type Calls, OPEN } from '../history/calls.ts';
import { type Events, NONE, NULL, OK, type Ref } from '../history/events.ts';
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
 * The calls of a whole history as calls on registers, by key. One pass in order of invocation, so that memory is
 * read in order; what is written goes to as many places as there are keys.
 */
export class Registers {
  readonly #kind: Uint8Array;
  readonly #first: Int32Array;
  readonly #second: Int32Array;
  readonly #invoke: Int32Array;
  readonly #complete: Int32Array;

  constructor(
    events: Events,
    calls: Calls,
    places: Int32Array,
    model: Model<unknown>,
    failedCas: FailedCas | undefined,
  ) {
    const { length } = calls;
    this.#kind = new Uint8Array(length);
    this.#first = new Int32Array(length);
    this.#second = new Int32Array(length);
    this.#invoke = new Int32Array(length);
    this.#complete = new Int32Array(length);
    this.#fill(events, calls, places, model, failedCas);
  }

  #fill(
    events: Events,
    { length, invoke, complete, outcome }: Calls,
    places: Int32Array,
    model: Model<unknown>,
    failedCas: FailedCas | undefined,
  ): void {
    const known = model.functions ?? [];
    const kinds = Uint8Array.from(events.names, (f) => (known.includes(f) ? (KINDS[f] ?? OTHER) : OTHER));
    const deletes = events.names.indexOf('delete');
    const { f, a, b, error } = events;
    // What a failed cas says depends on its error alone, and errors repeat.
    let lastError = NONE - 1;
    let isRefusal = false;
    const kind = this.#kind;
    const first = this.#first;
    const second = this.#second;
    const invokes = this.#invoke;
    const completes = this.#complete;
    for (let call = 0; call < length; call++) {
      const at = invoke[call]!;
      const end = complete[call]!;
      const i = places[call]!;
      invokes[i] = at;
      completes[i] = end;
      let k = kinds[f[at]!]!;
      if (end !== OPEN && outcome[call] !== OK && k !== OTHER) {
        // A call that failed did not happen; a cas may have told why.
        if (k === CAS && error[end] !== lastError) {
          lastError = error[end]!;
          isRefusal = failedAs(events, model, at, end, failedCas) === 'refused';
        }
        k = k === CAS && isRefusal ? MISMATCH : NOTHING;
      }
      if (k === READ) {
        if (end === OPEN) k = NOTHING;
        else first[i] = b[end] === NONE ? a[end]! : events.ref(events.valueAt(end));
      } else if (k === WRITE) {
        if (f[at] === deletes) first[i] = NULL;
        else first[i] = b[at] === NONE ? a[at]! : events.ref(events.valueAt(at));
      } else if (k === CAS || k === MISMATCH) {
        if (b[at] === NONE) {
          throw new HistoryError(`event ${at}: cas needs [expected, new], not ${JSON.stringify(events.valueAt(at))}`);
        }
        first[i] = a[at]!;
        second[i] = b[at]!;
        // A cas to the same value is a read of it.
        if (k === CAS && a[at] === b[at]) k = end === OPEN ? NOTHING : READ;
      }
      kind[i] = k;
    }
  }

  /** The calls at places `[from, to)`; undefined when one of them is not one that a register knows. */
  slice(from: number, to: number, initial: Ref): RegisterCalls | undefined {
    const kind = this.#kind.subarray(from, to);
    if (kind.includes(OTHER)) return undefined;
    return {
      length: to - from,
      kind,
      first: this.#first.subarray(from, to),
      second: this.#second.subarray(from, to),
      invoke: this.#invoke.subarray(from, to),
      complete: this.#complete.subarray(from, to),
      initial,
    };
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
