import { type Events, INFO, INVOKE, NO_PROCESS, NONE } from './events.ts';
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
  /** `OK`, `FAIL` or `INFO`. */
  readonly outcome: Uint8Array<ArrayBuffer>;
}

const DENSE_PROCESSES = 1 << 20;

/**
 * Pairs invocations with completions. Events that are not a client's are left out.
 *
 * Here and in `groupCalls` a long loop is a function of its own with nothing after it: the engine compiles it while it
 * runs, and throws that away at the first line that it had not seen run.
 *
 * @throws HistoryError when a process completes what it did not invoke, or invokes while it is busy.
 */
export function pairCalls(events: Events): Calls {
  const count = countInvocations(events);
  const invoke = new Int32Array(count);
  const complete = new Int32Array(count).fill(OPEN);
  const outcome = new Uint8Array(count).fill(INFO);
  const calls = { length: count, invoke, complete, outcome };
  pairEvents(events, calls, new Int32Array(largestProcess(events) + 1));
  return calls;
}

function countInvocations({ length, type, process }: Events): number {
  let count = 0;
  for (let at = 0; at < length; at++) if (type[at] === INVOKE && process[at] !== NO_PROCESS) count++;
  return count;
}

/** The largest number of a process that a table has room for. */
function largestProcess({ length, process }: Events): number {
  let most = 0;
  for (let at = 0; at < length; at++) if (process[at]! > most && process[at]! < DENSE_PROCESSES) most = process[at]!;
  return most;
}

/** @param dense for the call that each process is busy with, plus one; processes beyond it (rare) go to a map */
function pairEvents(events: Events, { invoke, complete, outcome }: Calls, dense: Int32Array): void {
  const { length, type, process, f, key } = events;
  const sparse = new Map<number, number>();
  const room = dense.length;
  let next = 0;
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
      invoke[next++] = at;
      now = next;
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
        outcome[busy - 1] = type[at]!;
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

/** The calls on each key: `order[offsets[k]..offsets[k + 1])` are their numbers, in order of invocation. */
export interface KeyGroups {
  readonly keys: readonly number[];
  readonly order: Int32Array<ArrayBuffer>;
  readonly offsets: Int32Array<ArrayBuffer>;
  /** Where each call stands in `order`. */
  readonly places: Int32Array<ArrayBuffer>;
}

/** Keys from -NEAR_KEYS to NEAR_KEYS are found in a table, others in a map. */
const NEAR_KEYS = 1 << 16;

/** Groups calls by a reference each, in order of first appearance. */
export function groupCalls({ length, invoke }: Calls, keyOf: Int32Array): KeyGroups {
  const keys: number[] = [];
  const sizes: number[] = [];
  const groups = new Int32Array(length);
  const least = leastKey(invoke, keyOf);
  const near = new Int32Array(mostKey(invoke, keyOf) - least + 1);
  numberKeys(invoke, keyOf, least, near, keys, sizes, groups);
  const offsets = new Int32Array(keys.length + 1);
  for (let id = 0; id < keys.length; id++) offsets[id + 1] = offsets[id]! + sizes[id]!;
  const order = new Int32Array(length);
  // The numbers of keys become places.
  putInOrder(groups, order, offsets.slice(0, keys.length));
  return { keys, order, offsets, places: groups };
}

function leastKey(invoke: Int32Array, keyOf: Int32Array): number {
  let least = 0;
  for (let i = 0; i < invoke.length; i++) {
    const key = keyOf[invoke[i]!]!;
    if (key < least && key >= -NEAR_KEYS) least = key;
  }
  return least;
}

function mostKey(invoke: Int32Array, keyOf: Int32Array): number {
  let most = 0;
  for (let i = 0; i < invoke.length; i++) {
    const key = keyOf[invoke[i]!]!;
    if (key > most && key < NEAR_KEYS) most = key;
  }
  return most;
}

/**
 * Puts the number of each call's key into `groups`.
 *
 * @param near for the numbers, plus one, of the keys from `least` on
 */
function numberKeys(
  invoke: Int32Array,
  keyOf: Int32Array,
  least: number,
  near: Int32Array,
  keys: number[],
  sizes: number[],
  groups: Int32Array,
): void {
  const far = new Map<number, number>();
  for (let i = 0; i < groups.length; i++) {
    const key = keyOf[invoke[i]!]!;
    const at = key - least;
    const isNear = at >= 0 && at < near.length;
    let id = isNear ? near[at]! - 1 : (far.get(key) ?? -1);
    if (id === -1) {
      id = keys.length;
      if (isNear) near[at] = id + 1;
      else far.set(key, id);
      keys.push(key);
      sizes.push(0);
    }
    groups[i] = id;
    sizes[id]!++;
  }
}

function putInOrder(groups: Int32Array, order: Int32Array, cursor: Int32Array): void {
  for (let i = 0; i < groups.length; i++) {
    const place = cursor[groups[i]!]!++;
    groups[i] = place;
    order[place] = i;
  }
}
