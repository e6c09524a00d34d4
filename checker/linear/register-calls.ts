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
    const known = model.functions ?? [];
    const kinds = Uint8Array.from(events.names, (f) => (known.includes(f) ? (KINDS[f] ?? OTHER) : OTHER));
    const deletes = events.names.indexOf('delete');
    const { length, invoke: invokes, complete: completes, outcome } = calls;
    const { f, a, b } = events;
    const kind = new Uint8Array(length);
    const first = new Int32Array(length);
    const second = new Int32Array(length);
    const invoke = new Int32Array(length);
    const complete = new Int32Array(length);
    for (let call = 0; call < length; call++) {
      const at = invokes[call]!;
      const end = completes[call]!;
      const i = places[call]!;
      invoke[i] = at;
      complete[i] = end;
      let k = kinds[f[at]!]!;
      if (end !== OPEN && outcome[call] !== OK && k !== OTHER) {
        // A call that failed did not happen; a cas may have told why.
        k = k === CAS && failedAs(events, model, at, end, failedCas) === 'refused' ? MISMATCH : NOTHING;
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
    this.#kind = kind;
    this.#first = first;
    this.#second = second;
    this.#invoke = invoke;
    this.#complete = complete;
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
