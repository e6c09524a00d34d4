import type { Events } from '../history/events.ts';
import type { History } from '../history/op.ts';
import { counted } from '../words.ts';
import { type Analysis, type Findings, lostUpdate, type Reason, show, showKey } from './findings.ts';
import { type Graph, type GraphBuilder, RW, WR, WW } from './graph.ts';
import { overtakenBy } from './overtaken.ts';
import { microOperation, readTransactions } from './read-transactions.ts';
import { Touches } from './touches.ts';
import { FAIL, NONE, OK, READ, type Transactions } from './transactions.ts';
import { type RegisterOptions, VersionOrder } from './version-order.ts';
import { findWriters, type Writers } from './writers.ts';

const MICRO_OPERATIONS = ['w', 'r'];

/** Transactions of `["w", key, value]` and `["r", key, value]`. */
export function readRwRegister(history: History | Events): Transactions {
  return readTransactions(history, {
    fast: { write: 'w' },
    add(table, operations, { status }) {
      for (const mop of operations) {
        const parts = microOperation(mop, MICRO_OPERATIONS);
        const [f, k, v] = [parts[0], parts[1], parts[2] ?? null];
        const key = table.keyOf(k!);
        if (f === 'w') table.write(key, table.versionOf(key, table.valueId(v)));
        else table.read(key, status === OK ? table.versionOf(key, table.valueId(v)) : NONE);
      }
    },
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
  readonly #touches: Touches;
  /** By key: the version before all writes. */
  readonly #initial: Int32Array;
  readonly #order: VersionOrder;
  /** Keys that are taken to have held something that nobody wrote; and what the first of them held. */
  #assumed = 0;
  #firstAssumed = '';

  constructor(table: Transactions, findings: Findings, graph: GraphBuilder, options: RegisterOptions) {
    this.#table = table;
    this.#findings = findings;
    this.#graph = graph;
    this.#options = options;
    this.#initial = this.#initialVersions();
    this.#writers = findWriters(table);
    this.#touches = new Touches(table, findings);
    this.#reads();
    this.#lostUpdates();
    this.#order = new VersionOrder(table, findings, this.#touches, this.#writers, this.#initial, options);
    this.#edges(this.#order.graph);
  }

  #initialVersions(): Int32Array {
    const table = this.#table;
    const value = table.valueId(this.#options.initial ?? null);
    const initial = new Int32Array(table.keys);
    for (let k = 0; k < table.keys; k++) initial[k] = table.versionOf(k, value);
    return initial;
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
            if (unwritten[k] === NONE) this.#assume(v);
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

  #assume(version: number): void {
    this.#assumed++;
    if (this.#assumed > 1) return;
    const table = this.#table;
    const [key, value] = [table.keyValue(table.versionKey.data[version]!), table.versionValue(version)];
    this.#firstAssumed = `${show(value)} of key ${showKey(key)}`;
  }

  /** What the verdict takes for granted. */
  get note(): string | undefined {
    if (this.#assumed === 0) return undefined;
    const more = this.#assumed === 1 ? '' : `, and one of ${counted(this.#assumed - 1, 'more key')}`;
    return `${this.#firstAssumed}${more}, which nobody wrote, is taken to have been there before (unless the initial value is given)`;
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
    const { read, key, length } = this.#touches;
    for (let i = 0; i < length; i++) {
      if (read.data[i] !== NONE && read.data[i] === this.#initial[key.data[i]!]) return true;
    }
    return false;
  }

  #lostUpdates(): void {
    const table = this.#table;
    const { transaction, read, write, length } = this.#touches;
    const updater = new Int32Array(table.versions).fill(NONE);
    const collisions = new Map<number, number[]>();
    for (let i = 0; i < length; i++) {
      const [t, version] = [transaction.data[i]!, read.data[i]!];
      if (version === NONE || write.data[i] === NONE || table.status.data[t] !== OK) continue;
      if (updater[version] === NONE) updater[version] = t;
      else {
        const list = collisions.get(version);
        if (list) list.push(t);
        else collisions.set(version, [updater[version]!, t]);
      }
    }
    for (const [version, transactions] of collisions) {
      lostUpdate(table, this.#findings, table.versionKey.data[version]!, table.versionValue(version), transactions);
    }
  }

  /** The transaction that left a version behind, unless it failed or there is none. */
  #committedWriter(version: number): number {
    const writer = this.#writers.of[version]!;
    if (writer === NONE || this.#writers.intermediate[version] === 1) return NONE;
    return this.#table.status.data[writer] === FAIL ? NONE : writer;
  }

  #edges(order: Graph): void {
    const [table, graph, touches] = [this.#table, this.#graph, this.#touches];
    const { transaction, key, read } = touches;
    // The transactions that read a version, and those that read their key's initial one, which may be many.
    const start = new Int32Array(table.versions + 1);
    for (let i = 0; i < touches.length; i++) if (read.data[i] !== NONE) start[read.data[i]! + 1]!++;
    for (let v = 0; v < table.versions; v++) start[v + 1]! += start[v]!;
    const readers = new Int32Array(start[table.versions]!);
    const initialReaders: (number[] | undefined)[] = Array.from({ length: table.keys });
    for (let i = 0; i < touches.length; i++) {
      const version = read.data[i]!;
      if (version === NONE) continue;
      const t = transaction.data[i]!;
      readers[start[version]!++] = t;
      const writer = this.#committedWriter(version);
      if (writer !== NONE) graph.edge(writer, t, WR);
      else if (version === this.#initial[key.data[i]!]) add(initialReaders, key.data[i]!, t);
    }
    // `start` has moved on as the rows were filled: each entry is where the next row begins.
    start.copyWithin(1, 0, table.versions);
    start[0] = 0;
    // The same order of two versions may have several sources; `done` is the last version it was seen after.
    const done = new Int32Array(table.versions).fill(NONE);
    for (let a = 0; a < table.versions; a++) {
      if (order.start[a] === order.start[a + 1] || this.#order.isInitial(a)) continue;
      const before = this.#committedWriter(a);
      for (let e = order.start[a]!; e < order.start[a + 1]!; e++) {
        const b = order.target[e]!;
        if (done[b] === a) continue;
        done[b] = a;
        const after = this.#committedWriter(b);
        if (after === NONE) continue;
        // A wr edge says more than a ww edge, which rests on an assumption.
        if (before !== NONE && !touches.hasRead(after, a)) graph.edge(before, after, WW);
        for (let r = start[a]!; r < start[a + 1]!; r++) graph.edge(readers[r]!, after, RW);
      }
    }
    const writers: (number[] | undefined)[] = Array.from({ length: table.keys });
    for (let i = 0; i < touches.length; i++) {
      const k = key.data[i]!;
      if (touches.write.data[i] !== NONE && initialReaders[k] !== undefined) add(writers, k, transaction.data[i]!);
    }
    for (const [k, list] of initialReaders.entries()) {
      if (list !== undefined && writers[k] !== undefined) overtakenBy(graph, list, writers[k]);
    }
  }

  reason(a: number, b: number, kind: number, nameA: string, nameB: string): Reason | undefined {
    const [table, touches] = [this.#table, this.#touches];
    for (let j = touches.start[b]!; j < touches.start[b + 1]!; j++) {
      const k = touches.key.data[j]!;
      const key = table.keyValue(k);
      if (kind === WR) {
        const read = touches.read.data[j]!;
        if (read === NONE || this.#committedWriter(read) !== a) continue;
        const value = table.versionValue(read);
        return {
          because: `${nameB} read ${nameA}'s write of ${show(value)} to key ${showKey(key)}`,
          facts: { key, value },
        };
      }
      const after = touches.write.data[j]!;
      if (after === NONE) continue;
      for (let i = touches.start[a]!; i < touches.start[a + 1]!; i++) {
        const before = (kind === WW ? touches.write : touches.read).data[i]!;
        if (touches.key.data[i] !== k || before === NONE) continue;
        const found = this.#order.precedence(k, before, after);
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
}

function add(lists: (number[] | undefined)[], k: number, t: number): void {
  const list = lists[k];
  if (list) list.push(t);
  else lists[k] = [t];
}
