import { type Events, FAIL, INFO, INVOKE, NO_PROCESS, NONE, OK, type Ref } from './events.ts';
import { HistoryError } from './history-error.ts';

/** The completion of a call that never completed: after everything. */
export const OPEN = 0x7fffffff;

/**
 * What clients called, in order of invocation: each call is the interval from event `invoke[i]` to event
 * `complete[i]`. A call of unknown outcome (`info`, or no completion at all) never completes: it may take effect
 * at any time after its invocation, or never.
 */
export interface Calls {
  readonly length: number;
  readonly invoke: Int32Array<ArrayBuffer>;
  /** `OPEN` for unknown outcomes. */
  readonly complete: Int32Array<ArrayBuffer>;
}

/** Calls key after key, each key's in order of invocation: those of `keys[k]` are `[offsets[k], offsets[k + 1])`. */
export interface KeyedCalls extends Calls {
  /** In order of first appearance. */
  readonly keys: readonly Ref[];
  readonly offsets: Int32Array<ArrayBuffer>;
}

/** Is told of calls as they are paired, so that what it makes of them needs no pass of its own. */
export interface CallListener {
  /** Call `i` was invoked at an event. */
  invoked(i: number, at: number): void;
  /** Call `i` completed, with `ok` or `fail`. */
  completed(i: number, invoke: number, complete: number): void;
}

/** How a call ended, by its completion. */
export function outcomeOf(events: Events, complete: number): typeof OK | typeof FAIL | typeof INFO {
  if (complete === OPEN) return INFO;
  return events.type[complete] === OK ? OK : FAIL;
}

/**
 * Pairs invocations with completions. Events that are not a client's are left out.
 *
 * Here and in `pairCallsByKey` a long loop is a function of its own with nothing after it: the engine compiles it
 * while it runs, and throws that away at the first line that it had not seen run.
 *
 * @throws HistoryError when a process completes what it did not invoke, or invokes while it is busy.
 */
export function pairCalls(events: Events): Calls {
  const length = countInvocations(events);
  const calls = { length, invoke: new Int32Array(length), complete: new Int32Array(length) };
  pairEvents(events, new Places(), calls, undefined, new Int32Array(largestProcess(events) + 1));
  return calls;
}

/**
 * The same, key by key: memory is read in order; what is written goes to as many places as there are keys.
 *
 * @param listenerOf makes what is told of each call, given how many there are
 */
export function pairCallsByKey(events: Events, listenerOf?: (length: number) => CallListener): KeyedCalls {
  const keys = new Places();
  keys.count(events);
  const offsets = keys.offsets();
  const length = offsets[keys.keys.length]!;
  const calls = { length, invoke: new Int32Array(length), complete: new Int32Array(length) };
  pairEvents(events, keys, calls, listenerOf?.(length), new Int32Array(largestProcess(events) + 1));
  return { ...calls, keys: keys.keys, offsets };
}

function countInvocations({ length, type, process }: Events): number {
  let count = 0;
  for (let at = 0; at < length; at++) if (type[at] === INVOKE && process[at] !== NO_PROCESS) count++;
  return count;
}

const DENSE_PROCESSES = 1 << 20;

/** The largest number of a process that a table has room for. */
function largestProcess({ length, process }: Events): number {
  let most = 0;
  for (let at = 0; at < length; at++) if (process[at]! > most && process[at]! < DENSE_PROCESSES) most = process[at]!;
  return most;
}

/** Keys from -NEAR_KEYS to NEAR_KEYS are found in a table, others in a map. */
const NEAR_KEYS = 1 << 16;

/** Where the calls on each key go; until keys are counted, all are taken for one. */
class Places {
  /** In order of first appearance. */
  readonly keys: Ref[] = [];
  readonly #sizes: number[] = [];
  #least = 0;
  /** The numbers of keys from the least on, plus one. */
  #near = new Int32Array(0);
  readonly #far = new Map<Ref, number>();
  /** By number of a key: where its next call goes. */
  #next = new Int32Array(1);

  count(events: Events): void {
    this.#least = leastKey(events);
    this.#near = new Int32Array(mostKey(events) - this.#least + 1);
    this.#countCalls(events);
  }

  #countCalls({ length, type, process, key }: Events): void {
    for (let at = 0; at < length; at++) {
      if (type[at] !== INVOKE || process[at] === NO_PROCESS) continue;
      const one = key[at]!;
      let id = this.#numberOf(one);
      if (id === -1) {
        id = this.keys.length;
        this.#enter(one, id);
      }
      this.#sizes[id]!++;
    }
  }

  #numberOf(key: Ref): number {
    const at = key - this.#least;
    return at >= 0 && at < this.#near.length ? this.#near[at]! - 1 : (this.#far.get(key) ?? -1);
  }

  #enter(key: Ref, id: number): void {
    const at = key - this.#least;
    if (at >= 0 && at < this.#near.length) this.#near[at] = id + 1;
    else this.#far.set(key, id);
    this.keys.push(key);
    this.#sizes.push(0);
  }

  /** Where the calls on each key begin, and, last, how many there are. */
  offsets(): Int32Array<ArrayBuffer> {
    const offsets = new Int32Array(this.keys.length + 1);
    for (const [id, size] of this.#sizes.entries()) offsets[id + 1] = offsets[id]! + size;
    this.#next = offsets.slice();
    return offsets;
  }

  /** The place of the next call on a key. */
  take(key: Ref): number {
    return this.#next[this.keys.length === 0 ? 0 : this.#numberOf(key)]!++;
  }
}

function leastKey({ length, key }: Events): number {
  let least = 0;
  for (let at = 0; at < length; at++) if (key[at]! < least && key[at]! >= -NEAR_KEYS) least = key[at]!;
  return least;
}

function mostKey({ length, key }: Events): number {
  let most = 0;
  for (let at = 0; at < length; at++) if (key[at]! > most && key[at]! < NEAR_KEYS) most = key[at]!;
  return most;
}

/** @param dense for the call that each process is busy with, plus one; processes beyond it (rare) go to a map */
function pairEvents(
  events: Events,
  places: Places,
  { invoke, complete }: Calls,
  listener: CallListener | undefined,
  dense: Int32Array,
): void {
  const { length, type, process, f, key } = events;
  const sparse = new Map<number, number>();
  const room = dense.length;
  for (let at = 0; at < length; at++) {
    const p = process[at]!;
    if (p < 0) continue;
    const busy = p < room ? dense[p]! : (sparse.get(p) ?? 0);
    let now = 0;
    if (type[at] === INVOKE) {
      if (busy !== 0) {
        throw broken(
          at,
          `process ${p} invokes ${nameOf(events, at)} while its call of event ${invoke[busy - 1]} is open`,
        );
      }
      const i = places.take(key[at]!);
      invoke[i] = at;
      complete[i] = OPEN;
      listener?.invoked(i, at);
      now = i + 1;
    } else if (busy === 0) {
      // Jepsen logs what is not a client's call as an info without an invocation.
      if (type[at] === INFO) continue;
      throw broken(at, `process ${p} completes ${nameOf(events, at)}, which it did not invoke`);
    } else {
      const from = invoke[busy - 1]!;
      if (f[from] !== f[at]) {
        throw broken(at, `process ${p} completes ${nameOf(events, at)}, but had invoked ${nameOf(events, from)}`);
      }
      if (key[at] !== key[from] && key[at] !== NONE) {
        throw broken(at, `process ${p} completes a call on another key than it was invoked on`);
      }
      if (type[at] !== INFO) {
        complete[busy - 1] = at;
        listener?.completed(busy - 1, from, at);
      }
    }
    if (p < room) dense[p] = now;
    else sparse.set(p, now);
  }
}

function nameOf(events: Events, at: number): string {
  return JSON.stringify(events.names[events.f[at]!]);
}

function broken(at: number, what: string): HistoryError {
  return new HistoryError(`event ${at}: ${what}`);
}
