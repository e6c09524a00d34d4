import { OPEN } from '../history/calls.ts';
import { canonical } from '../history/events.ts';
import { HistoryError } from '../history/history-error.ts';
import type { Op, Value } from '../history/op.ts';
import type { Model, Operation } from '../model/model.ts';
import { Transitions } from '../model/transitions.ts';
import { type Anomaly, type Section, unknown, type Valid, worst } from '../verdict.ts';
import { counted } from '../words.ts';
import { describeCall } from './explain.ts';
import { boundsOf, type LinearOptions, modelOf } from './options.ts';
import type { Seed } from './problem.ts';
import { Search } from './search.ts';
import { uninformed } from './section.ts';

/** A call on its way: it is settled when its outcome is known. */
interface Settling {
  operation: Operation;
  readonly invoke: number;
  complete: number;
  settled: boolean;
  /** It did not happen, and says nothing. */
  void: boolean;
}

interface KeyState {
  readonly key: Value | undefined;
  calls: Settling[];
  /** How many of `calls` the search has seen invoked. */
  carried: number;
  seeds: readonly Seed[];
  settledSince: number;
  valid: Valid;
  reason?: string;
  anomaly?: Anomaly;
}

export interface IncrementalOptions extends LinearOptions {
  /** A key's search goes on when this many more of its calls are settled; default 64: soon enough, cheap in sum. */
  readonly stride?: number;
}

const STRIDE = 64;

/**
 * Checks a history while it is being made. Operations are pushed in order; of each key, everything before the
 * oldest call whose outcome is not known yet is searched, and forgotten but for the frontier. A violation is
 * found at most `stride` settled calls of its key after it can be known.
 */
export class IncrementalLinear {
  readonly #options: IncrementalOptions;
  readonly #model: Model<unknown>;
  readonly #transitions: Transitions<unknown>;
  readonly #search: Search<unknown>;
  readonly #initial: number;
  readonly #keys = new Map<string, KeyState>();
  readonly #busy = new Map<number, { readonly state: KeyState; readonly call: Settling }>();
  #events = 0;
  #operations = 0;
  #informed = false;

  constructor(options: IncrementalOptions) {
    this.#options = options;
    this.#model = modelOf(options.model);
    this.#transitions = new Transitions(this.#model);
    this.#initial = this.#transitions.state(this.#model.init(options.initial));
    this.#search = new Search(this.#transitions, boundsOf(options), false);
  }

  /**
   * Takes the next operation; says whether what is known so far is linearizable.
   *
   * @throws HistoryError when a process completes what it did not invoke, or invokes while it is busy.
   */
  push(op: Op): boolean {
    const at = this.#events++;
    if (op.process === 'nemesis') return true;
    const busy = this.#busy.get(op.process);
    if (op.type === 'invoke') {
      if (busy !== undefined) throw new HistoryError(`event ${at}: process ${op.process} invokes while it is busy`);
      this.#invoke(op, op.process, at);
      return true;
    }
    if (busy === undefined) {
      if (op.type === 'info') return true;
      throw new HistoryError(`event ${at}: process ${op.process} completes what it did not invoke`);
    }
    this.#busy.delete(op.process);
    const { state, call } = busy;
    this.#settle(call, op, at);
    if (++state.settledSince >= (this.#options.stride ?? STRIDE)) this.#advance(state);
    return state.valid !== false;
  }

  /** The verdict on everything that was pushed; what has not completed by now has an unknown outcome. */
  finish(): Section {
    for (const { call } of this.#busy.values()) call.settled = true;
    this.#busy.clear();
    for (const state of this.#keys.values()) this.#advance(state);
    const states = [...this.#keys.values()];
    const counts = { operations: this.#operations, keys: states.length };
    const valid = worst(states.map((state) => state.valid));
    const looked = `${counted(this.#operations, 'operation')} on ${counted(states.length, 'key')}, as they came`;
    if (valid === 'unknown')
      return unknown(states.find((state) => state.reason !== undefined)?.reason ?? looked, counts);
    if (this.#operations === 0)
      return uninformed('the history holds no operation of a client', this.#events, this.#options);
    if (valid && !this.#informed) {
      const reason = 'nothing in the history tells anything of the state: no reads';
      return uninformed(reason, this.#events, this.#options, { counts });
    }
    const anomalies = states.flatMap((state) => state.anomaly ?? []);
    return { valid, summary: `${valid ? '' : 'not '}linearizable: ${looked}`, anomalies, counts };
  }

  #invoke(op: Op, process: number, at: number): void {
    const text = op.key === undefined ? '' : canonical(op.key);
    let state = this.#keys.get(text);
    if (state === undefined) {
      const seeds = [{ state: this.#initial, ahead: [], hidden: [] }];
      state = { key: op.key, calls: [], carried: 0, seeds, settledSince: 0, valid: true };
      this.#keys.set(text, state);
    }
    const operation: Operation = {
      f: op.f,
      argument: op.value ?? null,
      result: undefined,
      outcome: 'unknown',
      process,
    };
    const call: Settling = { operation, invoke: at, complete: OPEN, settled: false, void: false };
    state.calls.push(call);
    this.#busy.set(process, { state, call });
    this.#operations++;
  }

  #settle(call: Settling, op: Op, at: number): void {
    call.settled = true;
    if (op.type === 'info') return;
    const refused = op.type === 'fail' && this.#isRefusal(op);
    if (op.type === 'fail' && !refused) {
      call.void = true;
      return;
    }
    call.complete = at;
    const outcome = refused ? 'refused' : 'ok';
    call.operation = { ...call.operation, result: refused ? null : (op.value ?? null), outcome };
    if (this.#model.blind?.includes(op.f) !== true) this.#informed = true;
  }

  #isRefusal(op: Op): boolean {
    const { failedCas } = this.#options;
    if (op.f === 'cas' && failedCas !== undefined) return failedCas === 'observed';
    return op.error !== undefined && this.#model.refusals?.includes(op.error) === true;
  }

  /** Searches what is settled of a key. */
  #advance(state: KeyState): void {
    state.settledSince = 0;
    if (state.valid !== true) {
      state.calls = [];
      return;
    }
    const oldest = state.calls.findIndex((call) => !call.settled);
    const until = oldest === -1 ? OPEN : state.calls[oldest]!.invoke;
    const known = state.calls.slice(0, oldest === -1 ? state.calls.length : oldest);
    const calls = known.filter((call) => !call.void);
    // Of the carried calls none is void: they were settled when they were carried.
    const result = this.#search.run(
      {
        initial: this.#initial,
        length: calls.length,
        classes: Int32Array.from(calls, (call) => this.#transitions.classOf(call.operation)),
        invoke: Int32Array.from(calls, (call) => call.invoke),
        complete: Int32Array.from(calls, (call) => call.complete),
      },
      { seeds: state.seeds, carried: state.carried, until },
    );
    if (result.valid === 'unknown') {
      state.valid = 'unknown';
      state.reason = result.reason;
    } else if (!result.valid) {
      const { operation, invoke, complete } = calls[result.call]!;
      state.valid = false;
      state.anomaly = {
        kind: 'nonlinearizable',
        message: `no order of the operations explains ${describeCall(operation)}`,
        ...(state.key === undefined ? {} : { key: state.key }),
        ops: [invoke, complete],
        evidence: { conflict: 'search' },
      };
    } else {
      const carried = calls.filter((call) => call.complete >= until);
      const numbers = new Map(carried.map((call, number) => [call, number]));
      const carriedOn = (call: number): number => numbers.get(calls[call]!)!;
      state.seeds = this.#search.frontier().map(({ state: at, ahead, hidden }) => ({
        state: at,
        ahead: ahead.map(carriedOn),
        hidden: hidden.map(carriedOn),
      }));
      state.carried = carried.length;
      state.calls = [...carried, ...state.calls.slice(known.length)];
    }
  }
}
