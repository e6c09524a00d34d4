import { canonical, type Events } from '../history/events.ts';
import type { History, Op, Value } from '../history/op.ts';
import { Column } from './column.ts';
import { type Analysis, type Findings, lostUpdate, type Reason, show, showKey, showList } from './findings.ts';
import { type GraphBuilder, RW, WR, WW } from './graph.ts';
import { overtakenBy } from './overtaken.ts';
import {
  FAIL,
  INFO,
  microOperation,
  NONE,
  OK,
  READ,
  readTransactions,
  TransactionError,
  type Transactions,
  WRITE,
} from './transactions.ts';
import { findWriters, type Writers } from './writers.ts';

const EMPTY: readonly Value[] = [];
const MICRO_OPERATIONS = ['append', 'r'];

/** Transactions of `["append", key, element]` and `["r", key, list or null]`. */
export function readListAppend(history: History | Events): Transactions {
  return readTransactions(history, (table: Transactions, op: Op, value: readonly Value[]) => {
    for (const mop of value) {
      const parts = microOperation(mop, MICRO_OPERATIONS);
      const f = parts[0];
      const k = parts[1];
      const v = parts[2];
      const key = table.keyOf(k!);
      if (f === 'append') table.write(key, table.versionOf(key, v ?? null));
      else if (op.type !== 'ok') table.read(key, NONE, EMPTY);
      else if (v === null || v === undefined || Array.isArray(v)) table.read(key, NONE, v ?? EMPTY);
      else throw new TransactionError(`operation ${op.index} read ${show(v)} from key ${showKey(k!)}: not a list`);
    }
  });
}

/**
 * What reads of lists tell (Kingsbury & Alvaro, "Elle", VLDB 2020, section 4): the longest list read from a key is
 * the order of its versions, and every other read must be a beginning of it.
 */
export class ListAppend implements Analysis {
  readonly #table: Transactions;
  readonly #findings: Findings;
  readonly #graph: GraphBuilder;
  #writers: Writers = { of: new Int32Array(0), intermediate: new Uint8Array(0) };
  /** By key: the longest list that was read. */
  readonly #longest: (readonly Value[])[] = [];
  /** By key: the operation that read it. */
  readonly #longestAt: Int32Array;
  /** Versions in their order, key by key; those of key `k` are `#start[k]` to `#start[k + 1]`. */
  readonly #order = new Column();
  readonly #start: Int32Array;
  /** By version: its place in its key's order, from 0; `NONE` when nobody read it. */
  #place: Int32Array = new Int32Array(0);
  /** By read of a list: the place of the version that it saw, -1 for the empty list; `UNPLACED` when it has none. */
  #seen = new Int32Array(0);
  /** By version: 1 when it was read, though not in its key's longest list: then it has no place in the order. */
  readonly #stray: Uint8Array;
  /** By read of a list: 1 when it is a beginning of its key's longest read, and that has nothing twice. */
  #sound = new Uint8Array(0);

  constructor(table: Transactions, findings: Findings, graph: GraphBuilder) {
    this.#table = table;
    this.#findings = findings;
    this.#graph = graph;
    this.#longestAt = new Int32Array(table.keys).fill(NONE);
    this.#start = new Int32Array(table.keys + 1);
    this.#orderVersions();
    this.#writers = findWriters(table);
    this.#stray = new Uint8Array(table.versions);
    this.#placeReads();
    this.#insideTransactions();
    this.#dirtyUpdates();
    this.#edges();
  }

  #orderVersions(): void {
    const table = this.#table;
    const [status, first, kind, key] = [table.status.data, table.first.data, table.kind.data, table.key.data];
    const longest = this.#longest;
    for (let k = 0; k < table.keys; k++) longest.push(EMPTY);
    for (let t = 0; t < table.count; t++) {
      if (status[t] !== OK) continue;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        if (kind[m] !== READ) continue;
        const list = table.lists[m]!;
        if (list.length <= longest[key[m]!]!.length) continue;
        longest[key[m]!] = list;
        this.#longestAt[key[m]!] = m;
      }
    }
    const place = new Column(table.versions + 1);
    for (let v = 0; v < table.versions; v++) place.push(NONE);
    for (let k = 0; k < table.keys; k++) {
      let next = 0;
      for (const element of longest[k]!) {
        const version = table.versionOf(k, element);
        if (version === place.length) place.push(NONE);
        // A duplicated element counts where it stands first.
        if (place.data[version] !== NONE) continue;
        place.data[version] = next++;
        this.#order.push(version);
      }
      this.#start[k + 1] = this.#order.length;
    }
    this.#place = place.data;
  }

  /** Compares every read with its key's longest one, and finds reads of what was never committed. */
  #placeReads(): void {
    const table = this.#table;
    const [status, first, kind, key] = [table.status.data, table.first.data, table.kind.data, table.key.data];
    const { of: writer, intermediate } = this.#writers;
    this.#seen = new Int32Array(table.kind.length).fill(UNPLACED);
    this.#sound = new Uint8Array(table.kind.length);
    // By key: how long a read may be before it has something in it that failed, that nobody wrote, or twice.
    const soundMax = new Int32Array(table.keys);
    for (let k = 0; k < table.keys; k++) {
      const length = this.#start[k + 1]! - this.#start[k]!;
      let sound = 0;
      while (sound < length && this.#isCommitted(this.#order.data[this.#start[k]! + sound]!)) sound++;
      soundMax[k] = length === this.#longest[k]!.length ? sound : 0;
    }
    const incompatible = new Uint8Array(table.keys);
    for (let t = 0; t < table.count; t++) {
      if (status[t] !== OK) continue;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        if (kind[m] !== READ) continue;
        const k = key[m]!;
        const list = table.lists[m]!;
        const whole = this.#longest[k]!;
        const sound = isBeginning(list, whole);
        if (!sound && incompatible[k] === 0) {
          incompatible[k] = 1;
          this.#incompatible(t, k, list);
        }
        if (!sound || list.length > soundMax[k]!) this.#unsound(t, k, list);
        let version = NONE;
        if (list.length === 0) this.#seen[m] = -1;
        else if (sound && whole.length === this.#start[k + 1]! - this.#start[k]!) {
          version = this.#order.data[this.#start[k]! + list.length - 1]!;
          this.#seen[m] = list.length - 1;
          this.#sound[m] = 1;
        } else {
          version = table.versionOf(k, list[list.length - 1]!);
          // A new version: nobody else knows it, and it has no place.
          if (version < this.#place.length && this.#place[version] !== NONE) this.#seen[m] = this.#place[version]!;
        }
        table.version.data[m] = version;
        if (version !== NONE && intermediate[version] === 1 && writer[version] !== t)
          this.#intermediateRead(t, k, version);
      }
    }
  }

  #isCommitted(version: number): boolean {
    const writer = this.#writers.of[version] ?? NONE;
    return writer !== NONE && this.#table.status.data[writer] !== FAIL;
  }

  #incompatible(t: number, k: number, list: readonly Value[]): void {
    const key = this.#table.keyValue(k);
    const other = this.#transactionOf(this.#longestAt[k]!);
    this.#findings.add('incompatible-order', () => ({
      message: `key ${showKey(key)} was read as ${showList(list)} and as ${showList(this.#longest[k]!)}: neither is a beginning of the other`,
      key,
      ops: [this.#table.op(t), this.#table.op(other)],
      evidence: { key, lists: [list, this.#longest[k]!] },
    }));
  }

  /** Something is wrong with the elements of a list that was read: says what. */
  #unsound(t: number, k: number, list: readonly Value[]): void {
    const table = this.#table;
    const key = table.keyValue(k);
    const op = table.op(t);
    const counts = new Map<number, number>();
    for (const element of list) {
      const version = table.versionOf(k, element);
      const count = (counts.get(version) ?? 0) + 1;
      counts.set(version, count);
      if (count === 2) {
        this.#findings.add('duplicate-elements', () => ({
          message: `operation ${op} read element ${show(element)} of key ${showKey(key)} more than once`,
          key,
          ops: [op],
          evidence: { key, element, list },
        }));
      }
      if (count > 1) continue;
      if (version < this.#place.length && this.#place[version] === NONE) this.#stray[version] = 1;
      const writer = this.#writers.of[version] ?? NONE;
      if (writer === NONE) {
        this.#findings.add('garbage-read', () => ({
          message: `operation ${op} read element ${show(element)} of key ${showKey(key)}, which no transaction appended`,
          key,
          ops: [op],
          evidence: { key, element },
        }));
      } else if (table.status.data[writer] === FAIL) {
        this.#findings.add('G1a', () => ({
          message: `operation ${op} read element ${show(element)} of key ${showKey(key)}, whose append failed (operation ${table.op(writer)})`,
          key,
          ops: [op, table.op(writer)],
          evidence: { key, element, reader: op, writer: table.op(writer) },
        }));
      }
    }
  }

  #intermediateRead(t: number, k: number, version: number): void {
    const table = this.#table;
    const key = table.keyValue(k);
    const writer = this.#writers.of[version]!;
    this.#findings.add('G1b', () => ({
      message: `operation ${table.op(t)} read key ${showKey(key)} up to element ${show(table.versionValue(version))}, in the middle of operation ${table.op(writer)}`,
      key,
      ops: [table.op(t), table.op(writer)],
      evidence: { key, element: table.versionValue(version), reader: table.op(t), writer: table.op(writer) },
    }));
  }

  /** What can be seen inside one transaction: contradictions with itself, reads of what it appends later, lost updates. */
  #insideTransactions(): void {
    const table = this.#table;
    const [status, first, kind, key, version, previous] = [
      table.status.data,
      table.first.data,
      table.kind.data,
      table.key.data,
      table.version.data,
      table.previous.data,
    ];
    // By version that was read, or by key for the empty list: the transaction that went on to append to the key.
    const updaterOfVersion = new Int32Array(table.versions).fill(NONE);
    const updaterOfEmpty = new Int32Array(table.keys).fill(NONE);
    const collisions = new Map<string, number[]>();
    for (let t = 0; t < table.count; t++) {
      if (status[t] !== OK) continue;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        const before = previous[m]!;
        if (before === NONE) continue;
        if (kind[m] === READ) {
          this.#internal(t, m);
          continue;
        }
        this.#ownOrder(t, m);
        const read = kind[before] === READ ? before : NONE;
        if (this.#readEarlier(m)) {
          const [k, element] = [table.keyValue(key[m]!), table.versionValue(version[m]!)];
          this.#findings.add('future-read', () => ({
            message: `operation ${table.op(t)} read element ${show(element)} of key ${showKey(k)} before it appended it`,
            key: k,
            ops: [table.op(t)],
            evidence: { key: k, element },
          }));
        }
        // The first append after the transaction's first read of the key.
        if (read === NONE || previous[read] !== NONE || this.#seen[read] === UNPLACED) continue;
        const table1 = version[read] === NONE ? updaterOfEmpty : updaterOfVersion;
        const slot = version[read] === NONE ? key[m]! : version[read]!;
        if (table1[slot] === NONE) table1[slot] = t;
        else if (table1[slot] !== t) {
          const name = `${key[m]} ${version[read]}`;
          const list = collisions.get(name);
          if (list) list.push(t);
          else collisions.set(name, [table1[slot]!, t]);
        }
      }
    }
    for (const [name, transactions] of collisions) {
      const [k, v] = name.split(' ').map(Number) as [number, number];
      const seen = v === NONE ? EMPTY : this.#longest[k]!.slice(0, this.#place[v]! + 1);
      lostUpdate(table, this.#findings, k, seen, transactions);
    }
  }

  /** What a transaction appended to one key must stand there in that order, without gaps. */
  #ownOrder(t: number, m: number): void {
    const table = this.#table;
    let before = table.previous.data[m]!;
    while (before !== NONE && table.kind.data[before] === READ) before = table.previous.data[before]!;
    if (before === NONE) return;
    const [a, b] = [table.version.data[before]!, table.version.data[m]!];
    const [placeA, placeB] = [this.#place[a]!, this.#place[b]!];
    if (placeB === NONE || (placeA === NONE ? this.#stray[a] === 1 : placeA < placeB)) return;
    const [key, values] = [table.keyValue(table.key.data[m]!), [table.versionValue(a), table.versionValue(b)]];
    const found = placeA === NONE ? 'only the second was ever read' : 'they were read the other way round';
    this.#findings.add('cyclic-versions', () => ({
      message: `operation ${table.op(t)} appended ${show(values[0]!)} and then ${show(values[1]!)} to key ${showKey(key)}; ${found}`,
      key,
      ops: [table.op(t)],
      evidence: { key, values },
    }));
  }

  /** Whether an element was in a list that its own transaction read before it appended it. */
  #readEarlier(m: number): boolean {
    const table = this.#table;
    const version = table.version.data[m]!;
    for (let before = table.previous.data[m]!; before !== NONE; before = table.previous.data[before]!) {
      if (table.kind.data[before] !== READ) continue;
      if (this.#sound[before] === 1) {
        const place = this.#place[version]!;
        if (place !== NONE && place <= this.#seen[before]!) return true;
      } else if (table.lists[before]!.some((element) => table.versionOf(table.key.data[m]!, element) === version)) {
        return true;
      }
    }
    return false;
  }

  /** A read must show what the transaction itself read last, and appended since (the axiom INT of Cerone et al.). */
  #internal(t: number, m: number): void {
    const table = this.#table;
    const list = table.lists[m]!;
    let at = list.length;
    let before = table.previous.data[m]!;
    let fits = true;
    for (; before !== NONE && table.kind.data[before] === WRITE; before = table.previous.data[before]!) {
      at--;
      fits &&= at >= 0 && same(list[at]!, table.versionValue(table.version.data[before]!));
    }
    const known = before === NONE ? undefined : table.lists[before]!;
    if (fits && (known === undefined || (known.length === at && isBeginning(known, list)))) return;
    const key = table.keyValue(table.key.data[m]!);
    const own: Value[] = [];
    for (let w = table.previous.data[m]!; w !== before; w = table.previous.data[w]!) {
      own.unshift(table.versionValue(table.version.data[w]!));
    }
    const expected = known === undefined ? ['…', ...own] : [...known, ...own];
    this.#findings.add('internal', () => ({
      message: `operation ${table.op(t)} read key ${showKey(key)} as ${showList(list)}; after its own operations it had to be ${showList(expected)}`,
      key,
      ops: [table.op(t)],
      evidence: { key, expected, list },
    }));
  }

  /** A committed append on top of one that failed. */
  #dirtyUpdates(): void {
    const table = this.#table;
    const { of: writer } = this.#writers;
    for (let k = 0; k < table.keys; k++) {
      let failed = NONE;
      for (let at = this.#start[k]!; at < this.#start[k + 1]!; at++) {
        const version = this.#order.data[at]!;
        const t = writer[version] ?? NONE;
        if (t === NONE || table.status.data[t] === INFO) continue;
        if (table.status.data[t] === FAIL) {
          if (failed === NONE) failed = version;
        } else if (failed !== NONE) {
          const [key, aborted] = [table.keyValue(k), writer[failed]!];
          const values = [table.versionValue(failed), table.versionValue(version)];
          this.#findings.add('dirty-update', () => ({
            message: `operation ${table.op(t)} appended ${show(values[1]!)} to key ${showKey(key)} on top of ${show(values[0]!)}, whose append failed (operation ${table.op(aborted)})`,
            key,
            ops: [table.op(aborted), table.op(t)],
            evidence: { key, values },
          }));
          failed = NONE;
        }
      }
    }
  }

  #edges(): void {
    const table = this.#table;
    const graph = this.#graph;
    const [status, first, kind, key, version, previous] = [
      table.status.data,
      table.first.data,
      table.kind.data,
      table.key.data,
      table.version.data,
      table.previous.data,
    ];
    const order = this.#order.data;
    const lastWriter = new Int32Array(table.keys).fill(NONE);
    for (let k = 0; k < table.keys; k++) {
      let before = NONE;
      for (let at = this.#start[k]!; at < this.#start[k + 1]!; at++) {
        const writer = this.#committedWriter(order[at]!);
        if (before !== NONE && writer !== NONE) graph.edge(before, writer, WW);
        before = writer;
      }
      lastWriter[k] = before;
    }
    const unread: number[][] = Array.from({ length: table.keys });
    for (let t = 0; t < table.count; t++) {
      if (status[t] === FAIL) continue;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        if (kind[m] !== WRITE || this.#place[version[m]!] !== NONE || this.#stray[version[m]!] === 1) continue;
        const k = key[m]!;
        const list = unread[k];
        if (list === undefined) unread[k] = [t];
        else if (list[list.length - 1] !== t) list.push(t);
        else continue;
        if (lastWriter[k] !== NONE) graph.edge(lastWriter[k]!, t, WW);
      }
    }
    const lastReaders: number[][] = Array.from({ length: table.keys });
    for (let t = 0; t < table.count; t++) {
      if (status[t] !== OK) continue;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        if (kind[m] !== READ) continue;
        const k = key[m]!;
        const before = previous[m]!;
        if (before !== NONE && kind[before] === READ && version[before] === version[m]) continue;
        const seen = version[m]!;
        const writer = seen === NONE ? NONE : this.#committedWriter(seen);
        if (writer === t) continue;
        if (writer !== NONE) graph.edge(writer, t, WR);
        const place = this.#seen[m]!;
        if (place === UNPLACED) continue;
        const next = this.#start[k]! + place + 1;
        if (next < this.#start[k + 1]!) {
          const overtaker = this.#committedWriter(order[next]!);
          if (overtaker !== NONE) graph.edge(t, overtaker, RW);
        } else if (unread[k] !== undefined) {
          const list = lastReaders[k];
          if (list) list.push(t);
          else lastReaders[k] = [t];
        }
      }
    }
    for (let k = 0; k < table.keys; k++) {
      if (lastReaders[k] && unread[k]) overtakenBy(graph, lastReaders[k]!, unread[k]!);
    }
  }

  /** The writer of a version, unless it failed or there is none. */
  #committedWriter(version: number): number {
    const writer = this.#writers.of[version] ?? NONE;
    return writer !== NONE && this.#table.status.data[writer] !== FAIL ? writer : NONE;
  }

  #transactionOf(m: number): number {
    const first = this.#table.first.data;
    let [low, high] = [0, this.#table.count];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (first[middle]! <= m) low = middle;
      else high = middle;
    }
    return low;
  }

  reason(a: number, b: number, kind: number, nameA: string, nameB: string): Reason | undefined {
    const table = this.#table;
    const operations = (t: number, of: number): number[] => {
      const all: number[] = [];
      for (let m = table.first.data[t]!; m < table.first.data[t + 1]!; m++) if (table.kind.data[m] === of) all.push(m);
      return all;
    };
    if (kind === WR) {
      for (const m of operations(b, READ)) {
        const version = table.version.data[m]!;
        if (version === NONE || this.#committedWriter(version) !== a) continue;
        const [key, value] = [table.keyValue(table.key.data[m]!), table.versionValue(version)];
        return {
          because: `${nameB} read ${nameA}'s append of ${show(value)} to key ${showKey(key)}`,
          facts: { key, value },
        };
      }
      return undefined;
    }
    for (const w of operations(b, WRITE)) {
      const [version, k] = [table.version.data[w]!, table.key.data[w]!];
      const [key, value] = [table.keyValue(k), table.versionValue(version)];
      const place = this.#place[version]!;
      const length = this.#start[k + 1]! - this.#start[k]!;
      const before = (place === NONE ? length : place) - 1;
      const previous = before < 0 ? NONE : this.#order.data[this.#start[k]! + before]!;
      if (place === NONE && this.#stray[version] === 1) continue;
      const append = `${nameB}'s append of ${show(value)}`;
      const unread = `${append}, which nobody ever read, so that it came after all that were read`;
      if (kind === WW) {
        if (previous === NONE || this.#committedWriter(previous) !== a) continue;
        const old = table.versionValue(previous);
        return {
          because:
            place === NONE
              ? `${nameA}'s append of ${show(old)} to key ${showKey(key)} was the last one read, before ${unread}`
              : `${nameB} appended ${show(value)} to key ${showKey(key)} after ${nameA} appended ${show(old)}`,
          facts: { key, value: old, next: value },
        };
      }
      for (const m of operations(a, READ)) {
        if (table.key.data[m] !== k || this.#seen[m] !== before) continue;
        const list = table.lists[m]!;
        return {
          because: `${nameA} read key ${showKey(key)} as ${showList(list)}, without ${place === NONE ? unread : append}`,
          facts: { key, value: previous === NONE ? null : table.versionValue(previous), next: value },
        };
      }
    }
    return undefined;
  }
}

const UNPLACED = -2;

function same(a: Value, b: Value): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && canonical(a) === canonical(b));
}

function isBeginning(list: readonly Value[], whole: readonly Value[]): boolean {
  if (list === whole) return true;
  if (list.length > whole.length) return false;
  for (let i = 0; i < list.length; i++) if (list[i] !== whole[i] && !same(list[i]!, whole[i]!)) return false;
  return true;
}
