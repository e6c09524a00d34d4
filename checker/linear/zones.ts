import { OPEN } from '../history/calls.ts';
import type { Ref } from '../history/events.ts';

export const READ = 0;
export const WRITE = 1;
export const CAS = 2;
/** A compare that was answered "different". */
export const MISMATCH = 3;
/** A call that constrains nothing: it did not happen, or was a read that nobody heard the answer of. */
export const NOTHING = 4;

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

/** Why a register's history is not linearizable: calls that can not be ordered, as numbers. */
export interface ZoneConflict {
  readonly reason:
    | 'never-written'
    | 'read-before-write'
    | 'two-cas-from-one-value'
    | 'cas-cycle'
    | 'cas-order'
    | 'zones';
  /** The calls that show it; with the writes of the values they read, they are a counterexample on their own. */
  readonly calls: readonly number[];
}

const NONE = -1;
/** Beyond this a value is looked up in a map. */
const DENSE_MAX = 1 << 24;

/** Numbers for values, without a table of hashes where values are small integers or interned. */
class Numbers {
  #positive = new Int32Array(1024);
  #negative = new Int32Array(1024);
  #sparse = new Map<Ref, number>();
  /** Numbers from before this one belong to another key. */
  #base = 1;
  #next = 1;

  restart(): void {
    this.#base = this.#next;
    if (this.#sparse.size > 0) this.#sparse.clear();
    if (this.#next > 0x3fffffff) {
      this.#positive.fill(0);
      this.#negative.fill(0);
      this.#base = 1;
      this.#next = 1;
    }
  }

  /** The number of a value, from 0 in order of first sight. */
  of(ref: Ref): number {
    let table: Int32Array;
    let at: number;
    if (ref >= 0) {
      if (ref >= this.#positive.length) {
        if (ref >= DENSE_MAX) return this.#far(ref);
        this.#positive = grown(this.#positive, ref);
      }
      table = this.#positive;
      at = ref;
    } else {
      at = -ref;
      if (at >= this.#negative.length) {
        if (at >= DENSE_MAX) return this.#far(ref);
        this.#negative = grown(this.#negative, at);
      }
      table = this.#negative;
    }
    let number = table[at]!;
    if (number < this.#base) {
      number = this.#next++;
      table[at] = number;
    }
    return number - this.#base;
  }

  #far(ref: Ref): number {
    let number = this.#sparse.get(ref);
    if (number === undefined) {
      number = this.#next++;
      this.#sparse.set(ref, number);
    }
    return number - this.#base;
  }
}

function grown(table: Int32Array<ArrayBuffer>, at: number): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(Math.min(DENSE_MAX, 2 ** Math.ceil(Math.log2(at + 1))));
  wider.set(table);
  return wider;
}

/**
 * The near-linear path for a register whose observed values were each written once (Gibbons & Korach, "Testing
 * shared memories", 1997, section 4), with compare-and-set and with calls of unknown outcome.
 *
 * A write, and what reads its value, is a cluster; `f` is its earliest completion, `s` its latest invocation.
 * Successful cas join clusters into chains, which a linearization can not interleave. Two chains X and Y conflict
 * when f_X < s_Y and f_Y < s_X: each has something that must come before something of the other. There is a
 * linearization exactly when no two conflict and each chain is in order by itself; it takes the chains by the
 * starts of their zones, min(f, s).
 *
 * The test needs no sorting: calls come in order of invocation, so scanning them backwards meets the zones in
 * order of `s`, and the forward zone (f < s) met last is the only one that can contain the place.
 *
 * One instance is used for many keys, to reuse its tables.
 */
export class Zones {
  readonly #numbers = new Numbers();
  #room = 0;
  // By cluster.
  #f = new Int32Array(0);
  #last = new Int32Array(0);
  #writer = new Int32Array(0);
  #writers = new Int32Array(0);
  #observed = new Uint8Array(0);
  /** The cluster that a cas moves on to, and the one it came from. */
  #after = new Int32Array(0);
  #before = new Int32Array(0);
  /** The first cluster of its chain. */
  #chain = new Int32Array(0);
  // By call.
  #cluster = new Int32Array(0);
  #clusters = 0;
  /** The linearization of the last key, when it holds failed cas. */
  #placed: number[] | undefined;

  /** `undefined` when the values do not allow this path; else whether there is a conflict. */
  check(calls: RegisterCalls): { readonly conflict: ZoneConflict | undefined } | undefined {
    const { length, kind, first, second, invoke, complete } = calls;
    this.#reserve(length);
    const numbers = this.#numbers;
    numbers.restart();
    const f = this.#f;
    const last = this.#last;
    const writer = this.#writer;
    const writers = this.#writers;
    const observed = this.#observed;
    const cluster = this.#cluster;
    let clusters = 0;
    const open = (id: number): void => {
      clusters = id + 1;
      f[id] = OPEN;
      last[id] = NONE;
      writer[id] = NONE;
      writers[id] = 0;
      observed[id] = 0;
    };
    // The initial value is a write before everything.
    open(numbers.of(calls.initial));
    f[0] = NONE;
    writers[0] = 1;
    let swaps = false;
    let mismatches = false;
    for (let i = 0; i < length; i++) {
      const k = kind[i]!;
      if (k === NOTHING) {
        cluster[i] = NONE;
        continue;
      }
      // A failed cas sees what zones do not; it is placed afterwards.
      if (k === MISMATCH) {
        mismatches = true;
        cluster[i] = NONE;
        continue;
      }
      let id: number;
      if (k === CAS) {
        swaps = true;
        const from = numbers.of(first[i]!);
        if (from >= clusters) open(from);
        if (complete[i] !== OPEN) observed[from] = 1;
        id = numbers.of(second[i]!);
        if (id >= clusters) open(id);
      } else {
        id = numbers.of(first[i]!);
        if (id >= clusters) open(id);
      }
      cluster[i] = id;
      if (complete[i]! < f[id]!) f[id] = complete[i]!;
      last[id] = i;
      if (k === READ) observed[id] = 1;
      else {
        writers[id]!++;
        writer[id] = i;
      }
    }
    this.#clusters = clusters;
    if (swaps) {
      const joined = this.#join(calls);
      if (joined !== true) return joined;
    } else {
      for (let id = 0; id < clusters; id++) {
        if (observed[id] === 0) continue;
        if (writers[id]! > 1) return undefined;
      }
      for (let id = 0; id < clusters; id++) {
        if (observed[id] === 0 || (id === 0 && writer[0] === NONE)) continue;
        if (writers[id] === 0) return { conflict: { reason: 'never-written', calls: [this.#firstRead(calls, id)] } };
        if (f[id]! < invoke[writer[id]!]!) {
          return { conflict: { reason: 'read-before-write', calls: [writer[id]!, this.#earliest(calls, id)] } };
        }
      }
    }
    const conflict = swaps ? this.#scanChains(calls) : this.#scan(calls);
    this.#placed = conflict === undefined && mismatches ? this.#placeMismatches(calls) : undefined;
    // No conflict without the failed cas, but they do not fit this linearization: another may have room for them.
    return mismatches && conflict === undefined && this.#placed === undefined ? undefined : { conflict };
  }

  /**
   * A linearization of calls for which `check` found no conflict: all that completed, and those of unknown outcome
   * that something observed.
   */
  order(calls: RegisterCalls): number[] {
    return this.#placed ?? this.#orderOfZones(calls);
  }

  /**
   * Puts each failed cas where the register does not hold what it expected, and which its interval allows, into the
   * linearization that the zones give; the first such place. Undefined when one has none.
   */
  #placeMismatches(calls: RegisterCalls): number[] | undefined {
    const { length, kind, first, invoke, complete } = calls;
    const order = this.#orderOfZones(calls);
    const count = order.length;
    /** The value before the call at each place of the order, and the next place with another. */
    const value = new Int32Array(count + 1);
    const change = new Int32Array(count + 1);
    for (let at = 1; at <= count; at++) value[at] = this.#cluster[order[at - 1]!]!;
    change[count] = count + 1;
    for (let at = count - 1; at >= 0; at--) change[at] = value[at] === value[at + 1] ? change[at + 1]! : at + 1;
    const places = new Int32Array(length).fill(OPEN);
    for (const [at, call] of order.entries()) places[call] = at;
    /** The first place of any call from this one on. */
    const firstFrom = new Int32Array(length + 1).fill(count);
    for (let i = length - 1; i >= 0; i--) firstFrom[i] = Math.min(firstFrom[i + 1]!, places[i]!);
    const byEnd = Int32Array.from(calls.kind.keys()).filter((i) => kind[i] !== NOTHING && complete[i] !== OPEN);
    byEnd.sort((a, b) => complete[a]! - complete[b]!);
    const before: number[][] = [];
    let ended = 0;
    let low = 0;
    for (let i = 0; i < length; i++) {
      if (kind[i] !== MISMATCH) continue;
      for (; ended < byEnd.length && complete[byEnd[ended]!]! < invoke[i]!; ended++) {
        const other = byEnd[ended]!;
        low = Math.max(low, kind[other] === MISMATCH ? places[other]! : places[other]! + 1);
      }
      let next = i + 1;
      for (let high = length; next < high; ) {
        const middle = (next + high) >>> 1;
        if (invoke[middle]! > complete[i]!) high = middle;
        else next = middle + 1;
      }
      const expected = this.#numbers.of(first[i]!);
      const place = value[low] === expected ? change[low]! : low;
      if (place > firstFrom[next]!) return undefined;
      places[i] = place;
      const there = before[place];
      if (there === undefined) before[place] = [i];
      else there.push(i);
    }
    const whole: number[] = [];
    for (let at = 0; at <= count; at++) {
      for (const i of before[at] ?? []) whole.push(i);
      if (at < count) whole.push(order[at]!);
    }
    return whole;
  }

  #orderOfZones(calls: RegisterCalls): number[] {
    const { length, invoke, complete, kind } = calls;
    const swaps = kind.includes(CAS);
    const start = new Map<number, number>();
    const blocks = new Map<number, number[]>();
    for (let i = 0; i < length; i++) {
      const id = this.#cluster[i]!;
      if (id === NONE || !this.happened(calls, i)) continue;
      const alone = this.#observed[id] === 0 && !(swaps && this.#isLinked(id));
      // Calls whose value nobody observed are zones of their own.
      const name = alone ? -1 - i : swaps ? this.#chain[id]! : id;
      const block = blocks.get(name);
      if (block === undefined) blocks.set(name, [i]);
      else block.push(i);
    }
    for (const [name, block] of blocks) {
      let f = name === 0 ? NONE : OPEN;
      let s = NONE;
      for (const i of block) {
        f = Math.min(f, complete[i]!);
        s = Math.max(s, invoke[i]!);
      }
      start.set(name, Math.min(f, s));
    }
    const place = new Map<number, number>();
    if (swaps) {
      for (let id = 0; id < this.#clusters; id++) {
        if (this.#chain[id] !== id) continue;
        let at = 0;
        for (let next = id; next !== NONE; next = this.#after[next]!) place.set(next, at++);
      }
    }
    return [...blocks]
      .sort(([a], [b]) => start.get(a)! - start.get(b)!)
      .flatMap(([, block]) =>
        block.sort(
          (a, b) =>
            (place.get(this.#cluster[a]!) ?? 0) - (place.get(this.#cluster[b]!) ?? 0) ||
            Number(kind[a] === READ) - Number(kind[b] === READ) ||
            invoke[a]! - invoke[b]!,
        ),
      );
  }

  /** Whether a call of the key that was checked last surely happened: it completed, or its value was observed. */
  happened(calls: RegisterCalls, i: number): boolean {
    return calls.complete[i] !== OPEN || this.#observed[this.#cluster[i]!] === 1;
  }

  #isLinked(id: number): boolean {
    return this.#before[id] !== NONE || this.#after[id] !== NONE;
  }

  #reserve(length: number): void {
    if (length <= this.#room) return;
    this.#room = Math.max(1024, 2 ** Math.ceil(Math.log2(length)));
    // A cas names two values.
    const clusters = 2 * this.#room + 1;
    this.#f = new Int32Array(clusters);
    this.#last = new Int32Array(clusters);
    this.#writer = new Int32Array(clusters);
    this.#writers = new Int32Array(clusters);
    this.#observed = new Uint8Array(clusters);
    this.#after = new Int32Array(clusters);
    this.#before = new Int32Array(clusters);
    this.#chain = new Int32Array(clusters);
    this.#cluster = new Int32Array(this.#room);
  }

  #firstRead(calls: RegisterCalls, id: number): number {
    for (let i = 0; i < calls.length; i++) if (this.#observes(calls, i, id)) return i;
    throw new Error('invariant: an observed value has an observer');
  }

  /** Whether the call can only happen while the register holds the cluster's value. */
  #observes(calls: RegisterCalls, i: number, id: number): boolean {
    const k = calls.kind[i]!;
    if (k === READ) return this.#cluster[i] === id;
    if (k !== CAS || this.#numbers.of(calls.first[i]!) !== id) return false;
    return calls.complete[i] !== OPEN || this.#observed[this.#cluster[i]!] === 1;
  }

  /** The call of the cluster that completed first. */
  #earliest(calls: RegisterCalls, id: number): number {
    for (let i = 0; i < calls.length; i++) {
      if (this.#cluster[i] === id && calls.complete[i] === this.#f[id]) return i;
    }
    // Only the initial value's write, before everything, is no call.
    return NONE;
  }

  /** Joins clusters by cas. `true` when all is well. */
  #join(calls: RegisterCalls): true | undefined | { readonly conflict: ZoneConflict } {
    const { length, kind, first, invoke, complete } = calls;
    const numbers = this.#numbers;
    const observed = this.#observed;
    const writers = this.#writers;
    const writer = this.#writer;
    const clusters = this.#clusters;
    // A cas of unknown outcome happened if its value was observed, and then it observed in turn.
    const stack: number[] = [];
    for (let id = 0; id < clusters; id++) if (observed[id] === 1) stack.push(id);
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (writers[id]! > 1) return undefined;
      const by = writer[id]!;
      if (by === NONE || kind[by] !== CAS) continue;
      const from = numbers.of(first[by]!);
      if (observed[from] === 1) continue;
      observed[from] = 1;
      stack.push(from);
    }
    const after = this.#after.fill(NONE, 0, clusters);
    const before = this.#before.fill(NONE, 0, clusters);
    for (let i = 0; i < length; i++) {
      if (kind[i] !== CAS) continue;
      const to = this.#cluster[i]!;
      if (complete[i] === OPEN && observed[to] === 0) continue;
      // Values that a cas set must be unique too, observed or not: they are part of a chain.
      if (writers[to]! > 1) return undefined;
      const from = numbers.of(first[i]!);
      if (after[from] !== NONE) {
        const other = writer[after[from]!]!;
        return { conflict: { reason: 'two-cas-from-one-value', calls: this.#withWriter(from, [other, i]) } };
      }
      after[from] = to;
      before[to] = from;
    }
    for (let id = 0; id < clusters; id++) {
      if (observed[id] === 1 && writers[id] === 0) {
        return { conflict: { reason: 'never-written', calls: [this.#firstRead(calls, id)] } };
      }
    }
    const chain = this.#chain.fill(NONE, 0, clusters);
    for (let root = 0; root < clusters; root++) {
      if (before[root] !== NONE) continue;
      let latest = NONE;
      for (let id = root; id !== NONE; id = after[id]!) {
        chain[id] = root;
        if (observed[id] === 0 && before[id] === NONE && after[id] === NONE) break;
        const by = writer[id]!;
        if (this.#f[id]! < latest || (by !== NONE && this.#f[id]! < invoke[by]!)) {
          return { conflict: { reason: 'cas-order', calls: this.#chainTo(calls, root, id) } };
        }
        const newest = this.#last[id]!;
        if (newest !== NONE && invoke[newest]! > latest) latest = invoke[newest]!;
      }
    }
    for (let id = 0; id < clusters; id++) {
      // What no root leads to goes round in a circle.
      if (chain[id] !== NONE) continue;
      const circle: number[] = [];
      for (let at = id; circle.length === 0 || at !== id; at = after[at]!) circle.push(writer[at]!);
      return { conflict: { reason: 'cas-cycle', calls: circle } };
    }
    return true;
  }

  #withWriter(id: number, calls: number[]): number[] {
    return this.#writer[id] === NONE ? calls : [this.#writer[id]!, ...calls];
  }

  /** Of each cluster of a chain up to one of them: its write, its earliest completion and its latest invocation. */
  #chainTo(calls: RegisterCalls, root: number, end: number): number[] {
    const found: number[] = [];
    for (let id = root; ; id = this.#after[id]!) {
      for (const one of [this.#writer[id]!, this.#last[id]!, this.#earliest(calls, id)]) {
        if (one !== NONE && !found.includes(one)) found.push(one);
      }
      if (id === end) return found;
    }
  }

  #scan(calls: RegisterCalls): ZoneConflict | undefined {
    const { length, kind, invoke, complete } = calls;
    const cluster = this.#cluster;
    const observed = this.#observed;
    const last = this.#last;
    const f = this.#f;
    let forward = NONE;
    let forwardFrom = OPEN;
    let forwardTo = OPEN;
    for (let i = length - 1; i >= 0; i--) {
      const id = cluster[i]!;
      if (id === NONE) continue;
      const s = invoke[i]!;
      let from: number;
      if (observed[id] === 0) {
        // Nobody observed the value: a zone of its own, or, of unknown outcome, nothing.
        from = complete[i]!;
        if (from === OPEN || kind[i] === READ) continue;
      } else {
        if (last[id] !== i) continue;
        from = f[id]!;
      }
      if (from < s) {
        if (forwardFrom < s) return this.#conflict(calls, id, forward);
        forward = id;
        forwardFrom = from;
        forwardTo = s;
      } else if (forwardFrom < s && from < forwardTo) {
        return this.#conflict(calls, observed[id] === 0 ? -2 - i : id, forward);
      }
    }
    return undefined;
  }

  #scanChains(calls: RegisterCalls): ZoneConflict | undefined {
    const { length, invoke, complete } = calls;
    const clusters = this.#clusters;
    // The zone of a chain, at its root.
    const from = Int32Array.from({ length: clusters }, () => OPEN);
    const latest = new Int32Array(clusters).fill(NONE);
    for (let id = 0; id < clusters; id++) {
      const root = this.#chain[id]!;
      if (this.#f[id]! < from[root]!) from[root] = this.#f[id]!;
      const newest = this.#last[id]!;
      if (newest !== NONE && newest > latest[root]!) latest[root] = newest;
    }
    let forward = NONE;
    let forwardFrom = OPEN;
    let forwardTo = OPEN;
    for (let i = length - 1; i >= 0; i--) {
      const id = this.#cluster[i]!;
      if (id === NONE) continue;
      const s = invoke[i]!;
      const alone = this.#observed[id] === 0 && !this.#isLinked(id);
      const root = this.#chain[id]!;
      if (alone ? complete[i] === OPEN : latest[root] !== i) continue;
      const f = alone ? complete[i]! : from[root]!;
      if (f < s) {
        if (forwardFrom < s) return this.#conflict(calls, root, forward);
        forward = root;
        forwardFrom = f;
        forwardTo = s;
      } else if (forwardFrom < s && f < forwardTo) {
        return this.#conflict(calls, alone ? -2 - i : root, forward);
      }
    }
    return undefined;
  }

  /** Two clusters (or roots of chains; -2 - i is the call i alone) that can not both be in one piece. */
  #conflict(calls: RegisterCalls, one: number, other: number): ZoneConflict {
    const found = new Set<number>();
    for (const id of [one, other]) {
      if (id < NONE) {
        found.add(-2 - id);
        continue;
      }
      const chained = calls.kind.includes(CAS);
      for (let at = id; at !== NONE; at = chained ? this.#after[at]! : NONE) {
        for (const call of [this.#writer[at]!, this.#last[at]!, this.#earliest(calls, at)]) {
          if (call !== NONE) found.add(call);
        }
      }
    }
    return { reason: 'zones', calls: [...found].sort((a, b) => a - b) };
  }
}
