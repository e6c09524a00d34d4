import type { Events } from '../history/events.ts';
import type { History, Op, Value } from '../history/op.ts';
import { Column } from './column.ts';
import { type Analysis, type Findings, lostUpdate, type Reason, show, showKey } from './findings.ts';
import { components, cyclicComponents, type Graph, GraphBuilder, RW, WR, WW } from './graph.ts';
import { overtakenBy } from './overtaken.ts';
import { Search } from './search.ts';
import { FAIL, microOperation, NONE, OK, READ, readTransactions, type Transactions, WRITE } from './transactions.ts';
import { findWriters, type Writers } from './writers.ts';

const MICRO_OPERATIONS = ['w', 'r'];

/** What versions of registers can be ordered by, beside what reads and writes themselves show. */
export interface RegisterOptions {
  readonly linearizableKeys?: boolean | undefined;
  readonly sequentialKeys?: boolean | undefined;
  readonly wfrKeys?: boolean | undefined;
  readonly transactionOrder?: { readonly [op: number]: number } | undefined;
  readonly initial?: Value | undefined;
}

/** Where an order between two versions comes from, in the order in which they are trusted (Elle's). */
type Source = 'initial' | 'wfr' | 'sequential' | 'linearizable' | 'order';

/** Transactions of `["w", key, value]` and `["r", key, value]`. */
export function readRwRegister(history: History | Events): Transactions {
  return readTransactions(history, (table: Transactions, op: Op, value: readonly Value[]) => {
    for (const mop of value) {
      const parts = microOperation(mop, MICRO_OPERATIONS);
      const f = parts[0];
      const k = parts[1];
      const v = parts[2];
      const key = table.keyOf(k!);
      if (f === 'w') table.write(key, table.versionOf(key, v ?? null));
      else table.read(key, op.type === 'ok' ? table.versionOf(key, v ?? null) : NONE, undefined);
    }
  });
}

/**
 * What reads and writes of registers tell (Kingsbury & Alvaro, "Elle", VLDB 2020, section 5.2): a read shows its
 * writer, and versions are ordered only as far as the options allow.
 */
export class RwRegister implements Analysis {
  readonly #table: Transactions;
  readonly #findings: Findings;
  readonly #graph: GraphBuilder;
  readonly #options: RegisterOptions;
  readonly #writers: Writers;
  /**
   * One entry for each key of each transaction that may have taken effect: the version it read before any own
   * write, and the version it left behind.
   */
  readonly #touchTransaction = new Column();
  readonly #touchKey = new Column();
  readonly #touchRead = new Column();
  readonly #touchWrite = new Column();
  /** By transaction: its first entry. */
  readonly #touches: Int32Array;
  /** By key: the version before all writes; `NONE` when nobody read it. */
  readonly #initial: Int32Array;
  /** By key: its entries. Made when a reason is asked for. */
  #byKey: number[][] | undefined;
  /** By source: the keys whose versions it would make cyclic; it is not used there. */
  readonly #dropped = new Map<Source, Set<number>>();

  constructor(table: Transactions, findings: Findings, graph: GraphBuilder, options: RegisterOptions) {
    this.#table = table;
    this.#findings = findings;
    this.#graph = graph;
    this.#options = options;
    this.#touches = new Int32Array(table.count + 1);
    this.#initial = this.#initialVersions();
    this.#writers = findWriters(table);
    this.#touch();
    this.#reads();
    this.#lostUpdates();
    this.#edges(this.#versionOrder());
  }

  #initialVersions(): Int32Array {
    const table = this.#table;
    const value = this.#options.initial ?? null;
    const initial = new Int32Array(table.keys);
    for (let k = 0; k < table.keys; k++) initial[k] = table.versionOf(k, value);
    return initial;
  }

  #touch(): void {
    const table = this.#table;
    const [status, first, kind, key, version, previous] = [
      table.status.data,
      table.first.data,
      table.kind.data,
      table.key.data,
      table.version.data,
      table.previous.data,
    ];
    const current = new Int32Array(table.keys);
    for (let t = 0; t < table.count; t++) {
      this.#touches[t] = this.#touchKey.length;
      if (status[t] === FAIL) continue;
      let internal = false;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        const k = key[m]!;
        if (previous[m] === NONE) {
          current[k] = this.#touchKey.length;
          this.#touchTransaction.push(t);
          this.#touchKey.push(k);
          this.#touchRead.push(kind[m] === READ ? version[m]! : NONE);
          this.#touchWrite.push(NONE);
        } else if (kind[m] === READ && status[t] === OK && version[m] !== version[previous[m]!] && !internal) {
          internal = true;
          this.#internal(t, m);
        }
        if (kind[m] === WRITE) this.#touchWrite.data[current[k]!] = version[m]!;
      }
    }
    this.#touches[table.count] = this.#touchKey.length;
  }

  #internal(t: number, m: number): void {
    const table = this.#table;
    const key = table.keyValue(table.key.data[m]!);
    const value = table.versionValue(table.version.data[m]!);
    const expected = table.versionValue(table.version.data[table.previous.data[m]!]!);
    this.#findings.add('internal', () => ({
      message: `operation ${table.op(t)} read ${show(value)} from key ${showKey(key)}; after its own operations it had to be ${show(expected)}`,
      key,
      ops: [table.op(t)],
      evidence: { key, value, expected },
    }));
  }

  /** Reads of what failed, of what was not the last write of its transaction, and of what nobody wrote. */
  #reads(): void {
    const table = this.#table;
    const { of: writer, intermediate } = this.#writers;
    const nullIsInitial = this.#options.initial !== undefined || this.#someoneReadInitial();
    const unwritten = new Int32Array(table.keys).fill(NONE);
    for (let t = 0; t < table.count; t++) {
      if (table.status.data[t] !== OK) continue;
      for (let m = table.first.data[t]!; m < table.first.data[t + 1]!; m++) {
        if (table.kind.data[m] !== READ) continue;
        const [k, v] = [table.key.data[m]!, table.version.data[m]!];
        const w = writer[v]!;
        if (w === NONE) {
          if (v === this.#initial[k] || table.previous.data[m] !== NONE) continue;
          if (!nullIsInitial && (unwritten[k] === NONE || unwritten[k] === v)) {
            // Registers may have been filled before the history began: one such value is possible.
            unwritten[k] = v;
            continue;
          }
          this.#badRead('garbage-read', t, v, NONE, () => 'which no transaction wrote');
        } else if (table.status.data[w] === FAIL) {
          this.#badRead('G1a', t, v, w, (writer) => `whose write failed (operation ${writer})`);
        } else if (intermediate[v] === 1 && w !== t) {
          this.#badRead('G1b', t, v, w, (writer) => `which operation ${writer} overwrote before it committed`);
        }
      }
    }
  }

  #badRead(kind: string, t: number, v: number, writer: number, why: (writer: number) => string): void {
    const table = this.#table;
    this.#findings.add(kind, () => {
      const [key, value, op] = [table.keyValue(table.versionKey.data[v]!), table.versionValue(v), table.op(t)];
      const writers = writer === NONE ? [] : [table.op(writer)];
      return {
        message: `operation ${op} read ${show(value)} from key ${showKey(key)}, ${why(writers[0] ?? NONE)}`,
        key,
        ops: [op, ...writers],
        evidence: { key, value, reader: op, ...(writers[0] === undefined ? {} : { writer: writers[0] }) },
      };
    });
  }

  #someoneReadInitial(): boolean {
    for (let i = 0; i < this.#touchKey.length; i++) {
      const read = this.#touchRead.data[i]!;
      if (read !== NONE && read === this.#initial[this.#touchKey.data[i]!]!) return true;
    }
    return false;
  }

  #lostUpdates(): void {
    const table = this.#table;
    const updater = new Int32Array(table.versions).fill(NONE);
    const collisions = new Map<number, number[]>();
    for (let i = 0; i < this.#touchKey.length; i++) {
      const t = this.#touchTransaction.data[i]!;
      const read = this.#touchRead.data[i]!;
      if (table.status.data[t] !== OK || read === NONE || this.#touchWrite.data[i] === NONE) continue;
      if (updater[read] === NONE) updater[read] = t;
      else {
        const list = collisions.get(read);
        if (list) list.push(t);
        else collisions.set(read, [updater[read]!, t]);
      }
    }
    for (const [read, transactions] of collisions) {
      lostUpdate(table, this.#findings, table.versionKey.data[read]!, table.versionValue(read), transactions);
    }
  }

  /** The version that a transaction met first at a key, and the one that it left. */
  #firstMet(touch: number): number {
    const read = this.#touchRead.data[touch]!;
    return read === NONE ? this.#touchWrite.data[touch]! : read;
  }

  #left(touch: number): number {
    const write = this.#touchWrite.data[touch]!;
    return write === NONE ? this.#touchRead.data[touch]! : write;
  }

  /** The (partial) order of versions, from the sources that the options allow and that agree with each other. */
  #versionOrder(): Graph {
    const sources: [Source, (add: (before: number, after: number) => void) => void][] = [
      ['initial', (add) => this.#afterInitial(add)],
    ];
    const { wfrKeys, sequentialKeys, linearizableKeys, transactionOrder } = this.#options;
    if (wfrKeys) sources.push(['wfr', (add) => this.#writesFollowReads(add)]);
    if (sequentialKeys) sources.push(['sequential', (add) => this.#sequential(add)]);
    if (linearizableKeys) sources.push(['linearizable', (add) => this.#linearizable(add)]);
    if (transactionOrder) sources.push(['order', (add) => this.#givenOrder(transactionOrder, add)]);
    const from = new Column();
    const to = new Column();
    const build = (): Graph => {
      const builder = new GraphBuilder(this.#table.versions);
      for (let e = 0; e < from.length; e++) builder.edge(from.data[e]!, to.data[e]!, WW);
      return builder.build();
    };
    let order = build();
    for (const [source, edges] of sources) {
      const before = from.length;
      edges((a, b) => {
        if (a === NONE || b === NONE || a === b) return;
        from.push(a);
        to.push(b);
      });
      const wider = build();
      const cyclic = cyclicComponents(components(wider, WW));
      if (cyclic.length === 0) {
        order = wider;
        continue;
      }
      const dropped = new Set<number>();
      this.#dropped.set(source, dropped);
      const search = new Search(wider);
      for (const part of cyclic) {
        const k = this.#table.versionKey.data[part[0]!]!;
        dropped.add(k);
        this.#cyclic(k, part, search);
      }
      const length = from.length;
      from.length = to.length = before;
      for (let e = before; e < length; e++) {
        if (dropped.has(this.#table.versionKey.data[from.data[e]!]!)) continue;
        const [a, b] = [from.data[e]!, to.data[e]!];
        from.push(a);
        to.push(b);
      }
      order = build();
    }
    return order;
  }

  #cyclic(k: number, part: Int32Array, search: Search): void {
    const table = this.#table;
    const key = table.keyValue(k);
    this.#findings.add('cyclic-versions', () => {
      const members = new Set(part);
      const path = search.path(
        part[0]!,
        (v) => v === part[0],
        WW,
        (v) => members.has(v),
        Number.MAX_SAFE_INTEGER,
      );
      const versions = path === 'bound' || path === undefined ? [...part] : path.vertices;
      const values = versions.map((v) => table.versionValue(v));
      const steps = versions.map((v, i) => {
        const next = versions[(i + 1) % versions.length]!;
        const found = this.#source(k, v, next, true);
        return `${show(table.versionValue(v))} before ${show(table.versionValue(next))}, as ${found?.because}`;
      });
      const ops = versions.flatMap((v, i) => this.#source(k, v, versions[(i + 1) % versions.length]!, true)?.ops ?? []);
      return {
        message: `the versions of key ${showKey(key)} have no order: ${steps.join('; ')}`,
        key,
        ops: [...new Set(ops)],
        evidence: { key, values },
      };
    });
  }

  /** Every version comes after the initial one. */
  #afterInitial(add: (before: number, after: number) => void): void {
    const { versionKey, versions } = this.#table;
    for (let v = 0; v < versions; v++) {
      const initial = this.#initial[versionKey.data[v]!]!;
      if (this.#writers.of[initial] === NONE) add(initial, v);
    }
  }

  #writesFollowReads(add: (before: number, after: number) => void): void {
    for (let i = 0; i < this.#touchKey.length; i++) {
      if (this.#table.status.data[this.#touchTransaction.data[i]!] !== OK) continue;
      add(this.#touchRead.data[i]!, this.#touchWrite.data[i]!);
    }
  }

  #sequential(add: (before: number, after: number) => void): void {
    const table = this.#table;
    const last = new Map<number, Map<number, number>>();
    for (let i = 0; i < this.#touchKey.length; i++) {
      const process = table.process.data[this.#touchTransaction.data[i]!]!;
      let keys = last.get(process);
      if (keys === undefined) {
        keys = new Map();
        last.set(process, keys);
      }
      const k = this.#touchKey.data[i]!;
      const before = keys.get(k);
      if (before !== undefined) add(before, this.#firstMet(i));
      const left = this.#left(i);
      if (left !== NONE) keys.set(k, left);
    }
  }

  /**
   * Each key on its own is in real time: what a transaction meets first comes after what was left by those that
   * had completed before it was invoked. Of these only the frontier counts: those that no other completed one
   * came wholly after.
   */
  #linearizable(add: (before: number, after: number) => void): void {
    const table = this.#table;
    const [invoked, completed, status] = [table.invoked.data, table.completed.data, table.status.data];
    const invokedAt = new Int32Array(table.events).fill(NONE);
    const completedAt = new Int32Array(table.events).fill(NONE);
    for (let t = 0; t < table.count; t++) {
      if (invoked[t] === NONE || status[t] === FAIL) continue;
      invokedAt[invoked[t]!] = t;
      if (status[t] === OK && completed[t] !== NONE) completedAt[completed[t]!] = t;
    }
    const frontiers: number[][] = Array.from({ length: table.keys }, () => []);
    for (let at = 0; at < table.events; at++) {
      const t = invokedAt[at]!;
      if (t !== NONE) {
        for (let i = this.#touches[t]!; i < this.#touches[t + 1]!; i++) {
          const first = this.#firstMet(i);
          let last = NONE;
          for (const before of frontiers[this.#touchKey.data[i]!]!) {
            const left = this.#left(before);
            if (left !== last) add(left, first);
            last = left;
          }
        }
      }
      const done = completedAt[at]!;
      if (done === NONE) continue;
      for (let i = this.#touches[done]!; i < this.#touches[done + 1]!; i++) {
        const frontier = frontiers[this.#touchKey.data[i]!]!;
        let kept = 0;
        for (const before of frontier) {
          if (completed[this.#touchTransaction.data[before]!]! > invoked[done]!) frontier[kept++] = before;
        }
        frontier.length = kept;
        frontier.push(i);
      }
    }
  }

  #rank(t: number, order: { readonly [op: number]: number }): number | undefined {
    return order[this.#table.completed.data[t]!] ?? order[this.#table.invoked.data[t]!];
  }

  #givenOrder(order: { readonly [op: number]: number }, add: (before: number, after: number) => void): void {
    const writes = new Map<number, [rank: number, version: number][]>();
    for (let i = 0; i < this.#touchKey.length; i++) {
      const rank = this.#rank(this.#touchTransaction.data[i]!, order);
      if (rank === undefined || this.#touchWrite.data[i] === NONE) continue;
      const k = this.#touchKey.data[i]!;
      const list = writes.get(k);
      if (list) list.push([rank, this.#touchWrite.data[i]!]);
      else writes.set(k, [[rank, this.#touchWrite.data[i]!]]);
    }
    for (const list of writes.values()) {
      list.sort(([a], [b]) => a - b);
      for (let i = 1; i < list.length; i++) add(list[i - 1]![1], list[i]![1]);
    }
  }

  /** The transaction that left a version behind, unless it failed or there is none. */
  #committedWriter(version: number): number {
    const writer = this.#writers.of[version]!;
    if (writer === NONE || this.#writers.intermediate[version] === 1) return NONE;
    return this.#table.status.data[writer] === FAIL ? NONE : writer;
  }

  /** Whether a transaction read a version: then a wr edge says more than a ww edge, which rests on an assumption. */
  #hasRead(t: number, version: number): boolean {
    for (let i = this.#touches[t]!; i < this.#touches[t + 1]!; i++)
      if (this.#touchRead.data[i] === version) return true;
    return false;
  }

  #edges(order: Graph): void {
    const table = this.#table;
    const graph = this.#graph;
    const readersStart = new Int32Array(table.versions + 1);
    for (let i = 0; i < this.#touchKey.length; i++) {
      const read = this.#touchRead.data[i]!;
      if (read !== NONE) readersStart[read + 1]!++;
    }
    for (let v = 0; v < table.versions; v++) readersStart[v + 1]! += readersStart[v]!;
    const readers = new Int32Array(readersStart[table.versions]!);
    const next = readersStart.slice();
    const initialReaders: number[][] = Array.from({ length: table.keys });
    for (let i = 0; i < this.#touchKey.length; i++) {
      const read = this.#touchRead.data[i]!;
      if (read === NONE) continue;
      const [t, k] = [this.#touchTransaction.data[i]!, this.#touchKey.data[i]!];
      readers[next[read]!++] = t;
      const writer = this.#committedWriter(read);
      if (writer !== NONE) graph.edge(writer, t, WR);
      else if (read === this.#initial[k]) {
        const list = initialReaders[k];
        if (list) list.push(t);
        else initialReaders[k] = [t];
      }
    }
    // The same order of two versions is often seen many times; `target` is the last one seen after a version.
    const done = new Int32Array(table.versions).fill(NONE);
    for (let a = 0; a < table.versions; a++) {
      // What comes after the initial version is dealt with below: too many edges.
      if (a === this.#initial[table.versionKey.data[a]!] && this.#writers.of[a] === NONE) continue;
      const before = this.#committedWriter(a);
      for (let e = order.start[a]!; e < order.start[a + 1]!; e++) {
        const b = order.target[e]!;
        if (done[b] === a) continue;
        done[b] = a;
        const after = this.#committedWriter(b);
        if (after === NONE) continue;
        if (before !== NONE && !this.#hasRead(after, a)) graph.edge(before, after, WW);
        for (let r = readersStart[a]!; r < readersStart[a + 1]!; r++) graph.edge(readers[r]!, after, RW);
      }
    }
    const writers: number[][] = Array.from({ length: table.keys });
    for (let i = 0; i < this.#touchKey.length; i++) {
      const [k, write] = [this.#touchKey.data[i]!, this.#touchWrite.data[i]!];
      if (write === NONE || initialReaders[k] === undefined) continue;
      const list = writers[k];
      if (list) list.push(this.#touchTransaction.data[i]!);
      else writers[k] = [this.#touchTransaction.data[i]!];
    }
    for (let k = 0; k < table.keys; k++) {
      if (initialReaders[k] && writers[k]) overtakenBy(graph, initialReaders[k]!, writers[k]!);
    }
  }

  reason(a: number, b: number, kind: number, nameA: string, nameB: string): Reason | undefined {
    const table = this.#table;
    for (let j = this.#touches[b]!; j < this.#touches[b + 1]!; j++) {
      const k = this.#touchKey.data[j]!;
      const key = table.keyValue(k);
      if (kind === WR) {
        const read = this.#touchRead.data[j]!;
        if (read === NONE || this.#committedWriter(read) !== a) continue;
        const value = table.versionValue(read);
        return {
          because: `${nameB} read ${nameA}'s write of ${show(value)} to key ${showKey(key)}`,
          facts: { key, value },
        };
      }
      const after = this.#touchWrite.data[j]!;
      if (after === NONE) continue;
      for (let i = this.#touches[a]!; i < this.#touches[a + 1]!; i++) {
        const before = (kind === WW ? this.#touchWrite : this.#touchRead).data[i]!;
        if (this.#touchKey.data[i] !== k || before === NONE) continue;
        const found = this.#source(k, before, after, false);
        if (found === undefined) continue;
        const [value, nextValue] = [table.versionValue(before), table.versionValue(after)];
        const did = kind === WW ? 'wrote' : 'read';
        return {
          because: `${nameA} ${did} ${show(value)} ${kind === WW ? 'to' : 'from'} key ${showKey(key)}, ${nameB} wrote ${show(nextValue)}, and that came later, as ${found.because}`,
          facts: { key, value, next: nextValue, order: found.source, support: found.ops },
        };
      }
    }
    return undefined;
  }

  #touchesOf(k: number): readonly number[] {
    if (this.#byKey === undefined) {
      this.#byKey = Array.from({ length: this.#table.keys }, () => []);
      for (let i = 0; i < this.#touchKey.length; i++) this.#byKey[this.#touchKey.data[i]!]!.push(i);
    }
    return this.#byKey[k]!;
  }

  /** Why one version of a key comes before another, and the operations that show it. */
  #source(
    k: number,
    a: number,
    b: number,
    all: boolean,
  ): { readonly source: Source; readonly because: string; readonly ops: readonly number[] } | undefined {
    const table = this.#table;
    const isUsed = (source: Source): boolean => all || !this.#dropped.get(source)?.has(k);
    const [x, y] = [show(table.versionValue(a)), show(table.versionValue(b))];
    if (a === this.#initial[k] && this.#writers.of[a] === NONE) {
      return { source: 'initial', because: `${x} is the initial value`, ops: [] };
    }
    const touches = this.#touchesOf(k);
    const transaction = (touch: number): number => this.#touchTransaction.data[touch]!;
    const op = (touch: number): number => table.op(transaction(touch));
    const { wfrKeys, sequentialKeys, linearizableKeys, transactionOrder } = this.#options;
    if (wfrKeys && isUsed('wfr')) {
      const i = touches.find((i) => this.#touchRead.data[i] === a && this.#touchWrite.data[i] === b);
      if (i !== undefined) {
        return { source: 'wfr', because: `operation ${op(i)} read ${x} and wrote ${y}`, ops: [op(i)] };
      }
    }
    if (sequentialKeys && isUsed('sequential')) {
      const last = new Map<number, number>();
      for (const i of touches) {
        const process = table.process.data[transaction(i)]!;
        const before = last.get(process);
        if (before !== undefined && this.#left(before) === a && this.#firstMet(i) === b) {
          const because = `process ${process} met ${x} (operation ${op(before)}) and next ${y} (operation ${op(i)})`;
          return { source: 'sequential', because, ops: [op(before), op(i)] };
        }
        if (this.#left(i) !== NONE) last.set(process, i);
      }
    }
    if (linearizableKeys && isUsed('linearizable')) {
      const ended = (i: number): number => table.completed.data[transaction(i)]!;
      const began = (i: number): number => table.invoked.data[transaction(i)]!;
      let [first, last] = [NONE, NONE];
      for (const i of touches) {
        const isDone = table.status.data[transaction(i)] === OK && began(i) !== NONE;
        if (isDone && this.#left(i) === a && (first === NONE || ended(i) < ended(first))) first = i;
        if (began(i) !== NONE && this.#firstMet(i) === b && (last === NONE || began(i) > began(last))) last = i;
      }
      if (first !== NONE && last !== NONE && ended(first) < began(last)) {
        const because = `operation ${op(first)} met ${x} and completed before operation ${op(last)}, which met ${y}, was invoked`;
        return { source: 'linearizable', because, ops: [op(first), op(last)] };
      }
    }
    if (transactionOrder && isUsed('order')) {
      const writer = (v: number): number | undefined => this.#rank(this.#writers.of[v]!, transactionOrder);
      const [before, after] = [writer(a), writer(b)];
      if (before !== undefined && after !== undefined && before < after) {
        return { source: 'order', because: 'the given order of transactions says', ops: [] };
      }
    }
    return undefined;
  }
}
