import { type Calls, OPEN } from '../history/calls.ts';
import { type Events, NONE, NULL, OK, type Ref } from '../history/events.ts';
import { HistoryError } from '../history/history-error.ts';
import type { Model } from '../model/model.ts';
import { type FailedCas, failedAs } from './operations.ts';
import { CAS, MISMATCH, NOTHING, READ, type RegisterCalls, WRITE } from './zones.ts';

const OTHER = 255;
const KINDS: { readonly [f: string]: number } = {
  read: READ,
  get: READ,
  write: WRITE,
  put: WRITE,
  delete: WRITE,
  cas: CAS,
};

/**
 * Reads the calls on one key as those on a register. One instance is used for many keys, to reuse its columns:
 * what `of` returned is only good until the next call.
 */
export class RegisterReader {
  readonly #events: Events;
  readonly #calls: Calls;
  readonly #model: Model<unknown>;
  readonly #failedCas: FailedCas | undefined;
  /** The kind of each function of the history. */
  readonly #kinds: Uint8Array;
  readonly #deletes: number;
  #kind = new Uint8Array(0);
  #first = new Int32Array(0);
  #second = new Int32Array(0);
  #invoke = new Int32Array(0);
  #complete = new Int32Array(0);

  constructor(events: Events, calls: Calls, model: Model<unknown>, failedCas: FailedCas | undefined) {
    this.#events = events;
    this.#calls = calls;
    this.#model = model;
    this.#failedCas = failedCas;
    const known = model.functions ?? [];
    this.#kinds = Uint8Array.from(events.names, (f) => (known.includes(f) ? (KINDS[f] ?? OTHER) : OTHER));
    this.#deletes = events.names.indexOf('delete');
  }

  /** Undefined when one of the calls is not one that a register knows. */
  of(own: Int32Array, initial: Ref): RegisterCalls | undefined {
    const length = own.length;
    this.#reserve(length);
    const events = this.#events;
    const { f, a, b } = events;
    const { invoke: invokes, complete: completes, outcome } = this.#calls;
    const kinds = this.#kinds;
    const kind = this.#kind;
    const first = this.#first;
    const second = this.#second;
    const invoke = this.#invoke;
    const complete = this.#complete;
    for (let i = 0; i < length; i++) {
      const call = own[i]!;
      const at = invokes[call]!;
      const end = completes[call]!;
      invoke[i] = at;
      complete[i] = end;
      let k = kinds[f[at]!]!;
      if (end !== OPEN && outcome[call] !== OK) {
        // A call that failed did not happen; a cas may have told why.
        k = k === CAS && failedAs(events, this.#model, at, end, this.#failedCas) === 'refused' ? MISMATCH : NOTHING;
        if (k === NOTHING && kinds[f[at]!] === OTHER) return undefined;
      }
      if (k === READ) {
        if (end === OPEN) k = NOTHING;
        else first[i] = b[end] === NONE ? a[end]! : events.ref(events.valueAt(end));
      } else if (k === WRITE) {
        if (f[at] === this.#deletes) first[i] = NULL;
        else first[i] = b[at] === NONE ? a[at]! : events.ref(events.valueAt(at));
      } else if (k === CAS || k === MISMATCH) {
        if (b[at] === NONE) {
          throw new HistoryError(`event ${at}: cas needs [expected, new], not ${JSON.stringify(events.valueAt(at))}`);
        }
        first[i] = a[at]!;
        second[i] = b[at]!;
        // A cas to the same value is a read of it.
        if (k === CAS && a[at] === b[at]) k = end === OPEN ? NOTHING : READ;
      } else if (k === OTHER) return undefined;
      kind[i] = k;
    }
    return {
      length,
      kind: kind.subarray(0, length),
      first: first.subarray(0, length),
      second: second.subarray(0, length),
      invoke: invoke.subarray(0, length),
      complete: complete.subarray(0, length),
      initial,
    };
  }

  #reserve(length: number): void {
    if (length <= this.#kind.length) return;
    const room = Math.max(256, 2 ** Math.ceil(Math.log2(length)));
    this.#kind = new Uint8Array(room);
    this.#first = new Int32Array(room);
    this.#second = new Int32Array(room);
    this.#invoke = new Int32Array(room);
    this.#complete = new Int32Array(room);
  }
}
