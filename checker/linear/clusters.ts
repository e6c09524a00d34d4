import { OPEN } from '../history/calls.ts';
import type { Ref } from '../history/events.ts';
import { CAS, MISMATCH, READ, type RegisterCalls } from './register-calls.ts';
import { ValueNumbers } from './value-numbers.ts';

/** Why a register's history is not linearizable: calls that can not be ordered, as numbers. */
export interface ZoneConflict {
  readonly reason:
    | 'never-written'
    | 'read-before-write'
    | 'two-cas-from-one-value'
    | 'cas-cycle'
    | 'cas-order'
    | 'zones'
    | 'cas-mismatch';
  /**
   * The calls that show it. With the writes of the values they read they are a counterexample on their own, except
   * for `cas-mismatch`: what a failed cas could have seen instead is every other write before the last of them.
   */
  readonly calls: readonly number[];
}

/** No call, no cluster. */
export const NONE = -1;

/**
 * The calls on one register by the value that they write or observe: a write and what reads its value is a cluster,
 * with `f`, its earliest completion, and its latest invocation (Gibbons & Korach, "Testing shared memories", 1997).
 * Clusters that successful cas join are a chain, named by its first cluster, its root; a cluster by itself is a
 * chain of one.
 *
 * One instance is used for many keys, to reuse its tables.
 */
export class Clusters {
  readonly #numbers = new ValueNumbers();
  #room = 0;
  /** How many there are. Number 0 is the initial value, which was written before everything. */
  count = 0;
  // By cluster.
  f = new Int32Array(0);
  /** The call that was invoked last. */
  last = new Int32Array(0);
  writer = new Int32Array(0);
  #writers = new Int32Array(0);
  /** Whether a call that surely happened observed the value. */
  observed = new Uint8Array(0);
  /** The cluster that a cas moves on to, and the one it came from. Only with `swaps`. */
  after = new Int32Array(0);
  before = new Int32Array(0);
  /** By call: the cluster it is of; `NONE` for one that is of none. */
  of = new Int32Array(0);
  /** By cluster: the root of its chain. Only with `swaps`. */
  #root = new Int32Array(0);
  #ownZones = new Int32Array(0);
  /** By call: the root of its chain. */
  zones = new Int32Array(0);
  /** By root: the chain's earliest completion, and its call that was invoked last. */
  zoneF = new Int32Array(0);
  zoneLast = new Int32Array(0);
  #chainF = new Int32Array(0);
  #chainLast = new Int32Array(0);
  /** Whether there are cas that may have succeeded. */
  swaps = false;
  /** Whether there are cas that were answered "different". They are of no cluster. */
  mismatches = false;

  /**
   * Groups the calls on a key. `undefined` when an observed value was written twice: then it is not known who
   * observed which; else a conflict that clusters and chains show by themselves.
   */
  group(calls: RegisterCalls): { readonly conflict: ZoneConflict | undefined } | undefined {
    if (!this.#gather(calls) || !this.#observe(calls)) return undefined;
    this.#separate(calls);
    const conflict = this.#unwritten(calls) ?? (this.swaps ? this.#join(calls) : this.#early(calls));
    if (conflict === undefined) this.#makeZones(calls);
    return { conflict };
  }

  /** The cluster of a value; `NONE` when nothing wrote or observed it. Not for values that were written twice. */
  find(value: Ref): number {
    return this.#numbers.find(value);
  }

  /** Whether the value was written more than once, and so is the value of other clusters too. */
  isShared(cluster: number): boolean {
    return this.#writers[cluster]! > 1;
  }

  rootOf(cluster: number): number {
    return this.swaps ? this.#root[cluster]! : cluster;
  }

  /** Whether a call surely happened: it completed, or its value was observed. */
  happened(calls: RegisterCalls, i: number): boolean {
    return calls.complete[i] !== OPEN || this.observed[this.of[i]!] === 1;
  }

  /** The call of the cluster that completed first; `NONE` where that is the initial value's write, which is no call. */
  earliest(calls: RegisterCalls, id: number): number {
    for (let i = 0; i < calls.length; i++) {
      if (this.of[i] === id && calls.complete[i] === this.f[id]) return i;
    }
    return NONE;
  }

  /** False when an observed value was written twice, as far as that is seen at once. */
  #gather(calls: RegisterCalls): boolean {
    const { length, kind, first, second, complete } = calls;
    this.#reserve(length);
    const numbers = this.#numbers;
    numbers.restart();
    const { f, last, writer, observed, of } = this;
    const writers = this.#writers;
    let clusters = 0;
    const open = (id: number): void => {
      clusters = id + 1;
      f[id] = OPEN;
      last[id] = NONE;
      writer[id] = NONE;
      writers[id] = 0;
      observed[id] = 0;
    };
    open(numbers.of(calls.initial));
    f[0] = NONE;
    writers[0] = 1;
    this.swaps = false;
    this.mismatches = false;
    for (let i = 0; i < length; i++) {
      const k = kind[i]!;
      if (k >= MISMATCH) {
        of[i] = NONE;
        if (k === MISMATCH) this.mismatches = true;
        continue;
      }
      let id: number;
      if (k === CAS) {
        this.swaps = true;
        const from = numbers.of(first[i]!);
        if (from >= clusters) open(from);
        if (complete[i] !== OPEN) {
          observed[from] = 1;
          if (writers[from]! > 1) return false;
        }
        id = numbers.of(second[i]!);
        if (id >= clusters) open(id);
      } else {
        id = numbers.of(first[i]!);
        if (id >= clusters) open(id);
      }
      of[i] = id;
      if (complete[i]! < f[id]!) f[id] = complete[i]!;
      last[id] = i;
      if (k === READ) observed[id] = 1;
      else {
        writers[id]!++;
        writer[id] = i;
      }
      if (writers[id]! > 1 && observed[id] === 1) return false;
    }
    this.count = clusters;
    return true;
  }

  /** Whether each observed value was written once. A cas of unknown outcome whose value was observed observed too. */
  #observe({ kind, first }: RegisterCalls): boolean {
    const { count, observed, writer } = this;
    const writers = this.#writers;
    if (!this.swaps) {
      for (let id = 0; id < count; id++) if (observed[id] === 1 && writers[id]! > 1) return false;
      return true;
    }
    const stack: number[] = [];
    for (let id = 0; id < count; id++) if (observed[id] === 1) stack.push(id);
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      if (writers[id]! > 1) return false;
      const by = writer[id]!;
      if (by === NONE || kind[by] !== CAS) continue;
      const from = this.find(first[by]!);
      if (observed[from] === 1) continue;
      observed[from] = 1;
      stack.push(from);
    }
    return true;
  }

  /** Gives each write of a value that nobody observed a cluster of its own. */
  #separate({ length, kind, complete }: RegisterCalls): void {
    const { f, last, writer, observed, of } = this;
    const writers = this.#writers;
    let shared = false;
    for (let id = 0; id < this.count && !shared; id++) shared = writers[id]! > 1;
    if (!shared) return;
    for (let i = 0; i < length; i++) {
      const id = of[i]!;
      // The last one keeps the number, unless that is the initial value's.
      if (id === NONE || kind[i] === READ || writers[id]! < 2 || (id !== 0 && writer[id] === i)) continue;
      const own = this.count++;
      of[i] = own;
      f[own] = complete[i]!;
      last[own] = i;
      writer[own] = i;
      writers[own] = 1;
      observed[own] = 0;
    }
    for (let id = 0; id < this.count; id++) {
      if (writers[id]! < 2) continue;
      const by = id === 0 ? NONE : writer[id]!;
      writer[id] = by;
      last[id] = by;
      f[id] = by === NONE ? NONE : complete[by]!;
    }
  }

  #unwritten(calls: RegisterCalls): ZoneConflict | undefined {
    for (let id = 0; id < this.count; id++) {
      if (this.observed[id] === 0 || this.#writers[id] !== 0) continue;
      for (let i = 0; i < calls.length; i++) {
        if (this.#observes(calls, i, id)) return { reason: 'never-written', calls: [i] };
      }
    }
    return undefined;
  }

  /** Whether the call can only happen while the register holds the cluster's value. */
  #observes(calls: RegisterCalls, i: number, id: number): boolean {
    const k = calls.kind[i]!;
    if (k === READ) return this.of[i] === id;
    return k === CAS && this.find(calls.first[i]!) === id && this.happened(calls, i);
  }

  #early(calls: RegisterCalls): ZoneConflict | undefined {
    const { f, writer } = this;
    for (let id = 0; id < this.count; id++) {
      const by = writer[id]!;
      if (by === NONE || f[id]! >= calls.invoke[by]!) continue;
      return { reason: 'read-before-write', calls: [by, this.earliest(calls, id)] };
    }
    return undefined;
  }

  /** Joins clusters by cas. */
  #join(calls: RegisterCalls): ZoneConflict | undefined {
    const { length, kind, first, invoke } = calls;
    const { count, writer, f, last } = this;
    const after = this.after.fill(NONE, 0, count);
    const before = this.before.fill(NONE, 0, count);
    for (let i = 0; i < length; i++) {
      if (kind[i] !== CAS || !this.happened(calls, i)) continue;
      const to = this.of[i]!;
      const from = this.find(first[i]!);
      if (after[from] !== NONE) {
        const two = [writer[after[from]!]!, i];
        return { reason: 'two-cas-from-one-value', calls: writer[from] === NONE ? two : [writer[from]!, ...two] };
      }
      after[from] = to;
      before[to] = from;
    }
    const chain = this.#root.fill(NONE, 0, count);
    for (let root = 0; root < count; root++) {
      if (before[root] !== NONE) continue;
      let latest = NONE;
      for (let id = root; id !== NONE; id = after[id]!) {
        chain[id] = root;
        const by = writer[id]!;
        if (f[id]! < latest || (by !== NONE && f[id]! < invoke[by]!)) {
          return { reason: 'cas-order', calls: this.#chainTo(calls, root, id) };
        }
        const newest = last[id]!;
        if (newest !== NONE && invoke[newest]! > latest) latest = invoke[newest]!;
      }
    }
    for (let id = 0; id < count; id++) {
      // What no root leads to goes round in a circle.
      if (chain[id] !== NONE) continue;
      const circle: number[] = [];
      for (let at = id; circle.length === 0 || at !== id; at = after[at]!) circle.push(writer[at]!);
      return { reason: 'cas-cycle', calls: circle };
    }
    return undefined;
  }

  /** Of each cluster of a chain up to one of them: its write, its earliest completion and its latest invocation. */
  #chainTo(calls: RegisterCalls, root: number, end: number): number[] {
    const found: number[] = [];
    for (let id = root; ; id = this.after[id]!) {
      for (const one of [this.writer[id]!, this.last[id]!, this.earliest(calls, id)]) {
        if (one !== NONE && !found.includes(one)) found.push(one);
      }
      if (id === end) return found;
    }
  }

  #makeZones({ length }: RegisterCalls): void {
    const { count, f, last, of } = this;
    if (!this.swaps) {
      this.zones = of;
      this.zoneF = f;
      this.zoneLast = last;
      return;
    }
    const root = this.#root;
    const zones = this.#ownZones;
    const zoneF = this.#chainF.fill(OPEN, 0, count);
    const zoneLast = this.#chainLast.fill(NONE, 0, count);
    for (let id = 0; id < count; id++) {
      const to = root[id]!;
      if (f[id]! < zoneF[to]!) zoneF[to] = f[id]!;
      if (last[id]! > zoneLast[to]!) zoneLast[to] = last[id]!;
    }
    for (let i = 0; i < length; i++) zones[i] = of[i] === NONE ? NONE : root[of[i]!]!;
    this.zones = zones;
    this.zoneF = zoneF;
    this.zoneLast = zoneLast;
  }

  #reserve(length: number): void {
    if (length <= this.#room) return;
    this.#room = Math.max(16, 2 ** Math.ceil(Math.log2(length)));
    // A cas names two values.
    const clusters = 2 * this.#room + 1;
    this.f = new Int32Array(clusters);
    this.last = new Int32Array(clusters);
    this.writer = new Int32Array(clusters);
    this.#writers = new Int32Array(clusters);
    this.observed = new Uint8Array(clusters);
    this.after = new Int32Array(clusters);
    this.before = new Int32Array(clusters);
    this.#root = new Int32Array(clusters);
    this.#chainF = new Int32Array(clusters);
    this.#chainLast = new Int32Array(clusters);
    this.of = new Int32Array(this.#room);
    this.#ownZones = new Int32Array(this.#room);
  }
}
