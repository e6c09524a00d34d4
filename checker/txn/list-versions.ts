import { Column } from './column.ts';
import { type Findings, show, showKey, showList } from './findings.ts';
import type { ListReads } from './list-reads.ts';
import { FAIL, NONE, OK, READ, type Transactions } from './transactions.ts';
import { findWriters, type Writers } from './writers.ts';

/** What was read has no place in the order of its key's versions. */
export const UNPLACED = -2;

/**
 * The order of each key's versions: the longest list that was read from it, of which every other read must be a
 * beginning (Kingsbury & Alvaro, "Elle", VLDB 2020, section 4). Finds the reads that are not, and those of what was
 * never committed.
 */
export class ListVersions {
  readonly #table: Transactions;
  readonly #reads: ListReads;
  readonly #findings: Findings;
  readonly writers: Writers;
  /** Versions in their order, key by key; those of key `k` are `start[k]` to `start[k + 1]`. */
  readonly order: Column;
  readonly start: Int32Array;
  /** By version: its place in its key's order, from 0; `NONE` when it is not in the longest list. */
  readonly place: Int32Array;
  /** By read of a list: the place of the version that it saw, -1 for the empty list; `UNPLACED` when it has none. */
  readonly seen: Int32Array;
  /** By version: 1 when it was read, though not in its key's longest list: then it has no place in the order. */
  readonly #stray: Uint8Array;

  constructor(table: Transactions, reads: ListReads, findings: Findings) {
    this.#table = table;
    this.#reads = reads;
    this.#findings = findings;
    this.order = new Column(table.versions + 1);
    this.start = new Int32Array(table.keys + 1);
    this.place = this.#orderVersions();
    this.writers = findWriters(table);
    this.#stray = new Uint8Array(table.versions);
    this.seen = new Int32Array(table.kind.length).fill(UNPLACED);
    this.#placeReads();
  }

  /** How many versions of a key are in order. */
  count(k: number): number {
    return this.start[k + 1]! - this.start[k]!;
  }

  /** Whether a version was read, though not in its key's longest list. */
  isStray(version: number): boolean {
    return this.#stray[version] === 1;
  }

  /** Whether a read is a beginning of its key's longest list, which has nothing twice: then its length tells all. */
  isSound(m: number): boolean {
    return this.#reads.agrees(m) && this.#hasNothingTwice(this.#table.key.data[m]!);
  }

  #hasNothingTwice(k: number): boolean {
    return this.count(k) === this.#reads.longest(k).length;
  }

  /** The writer of a version, unless it failed or there is none. */
  committedWriter(version: number): number {
    const writer = this.writers.of[version] ?? NONE;
    return writer !== NONE && this.#table.status.data[writer] !== FAIL ? writer : NONE;
  }

  #orderVersions(): Int32Array {
    const table = this.#table;
    const place = new Column(table.versions + 1);
    for (let v = 0; v < table.versions; v++) place.push(NONE);
    for (let k = 0; k < table.keys; k++) {
      let next = 0;
      for (const element of this.#reads.longest(k)) {
        const version = table.versionOf(k, element);
        if (version === place.length) place.push(NONE);
        // A duplicated element counts where it stands first.
        if (place.data[version] !== NONE) continue;
        place.data[version] = next++;
        this.order.push(version);
      }
      this.start[k + 1] = this.order.length;
    }
    return place.data;
  }

  /** Compares every read with its key's longest one, and finds reads of what was never committed. */
  #placeReads(): void {
    const [table, reads] = [this.#table, this.#reads];
    const [status, first, kind, key] = [table.status.data, table.first.data, table.kind.data, table.key.data];
    const { of: writer, intermediate } = this.writers;
    // By key: how long a read may be before it has something in it that failed, that nobody wrote, or twice.
    const soundMax = new Int32Array(table.keys);
    for (let k = 0; k < table.keys; k++) {
      const length = this.count(k);
      let sound = 0;
      while (sound < length && this.committedWriter(this.order.data[this.start[k]! + sound]!) !== NONE) sound++;
      soundMax[k] = this.#hasNothingTwice(k) ? sound : 0;
    }
    const incompatible = new Uint8Array(table.keys);
    for (let t = 0; t < table.count; t++) {
      if (status[t] !== OK) continue;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        if (kind[m] !== READ) continue;
        const k = key[m]!;
        const length = reads.length.data[m]!;
        const agrees = reads.agrees(m);
        if (!agrees && incompatible[k] === 0) {
          incompatible[k] = 1;
          this.#incompatible(t, m);
        }
        if (!agrees || length > soundMax[k]!) this.#unsound(t, m);
        let version = NONE;
        if (length === 0) this.seen[m] = -1;
        else if (agrees && this.#hasNothingTwice(k)) {
          version = this.order.data[this.start[k]! + length - 1]!;
          this.seen[m] = length - 1;
        } else {
          version = table.versionOf(k, reads.elementOf(m, length - 1));
          // A new version: nobody else knows it, and it has no place.
          if (version < this.place.length && this.place[version] !== NONE) this.seen[m] = this.place[version]!;
        }
        table.version.data[m] = version;
        if (version !== NONE && intermediate[version] === 1 && writer[version] !== t) {
          this.#intermediateRead(t, k, version);
        }
      }
    }
  }

  #incompatible(t: number, m: number): void {
    const [table, reads] = [this.#table, this.#reads];
    const longestAt = reads.longestAt.data[table.key.data[m]!]!;
    this.#findings.add('incompatible-order', () => {
      const key = table.keyValue(table.key.data[m]!);
      const lists = [reads.list(m, table), reads.list(longestAt, table)] as const;
      return {
        message: `key ${showKey(key)} was read as ${showList(lists[0])} and as ${showList(lists[1])}: neither is a beginning of the other`,
        key,
        ops: [table.op(t), table.op(table.transactionOf(longestAt))],
        evidence: { key, lists },
      };
    });
  }

  /** Something is wrong with the elements of a list that was read: says what. */
  #unsound(t: number, m: number): void {
    const [table, reads] = [this.#table, this.#reads];
    const k = table.key.data[m]!;
    const op = table.op(t);
    const counts = new Map<number, number>();
    for (let at = 0; at < reads.length.data[m]!; at++) {
      const version = table.versionOf(k, reads.elementOf(m, at));
      const count = (counts.get(version) ?? 0) + 1;
      counts.set(version, count);
      const say = (what: string): string =>
        `operation ${op} read element ${show(table.versionValue(version))} of key ${showKey(table.keyValue(k))}${what}`;
      const facts = () => ({ key: table.keyValue(k), element: table.versionValue(version) });
      if (count === 2) {
        this.#findings.add('duplicate-elements', () => ({
          message: say(' more than once'),
          key: table.keyValue(k),
          ops: [op],
          evidence: { ...facts(), list: reads.list(m, table) },
        }));
      }
      if (count > 1) continue;
      if (version < this.place.length && this.place[version] === NONE) this.#stray[version] = 1;
      const writer = this.writers.of[version] ?? NONE;
      if (writer === NONE) {
        this.#findings.add('garbage-read', () => ({
          message: say(', which no transaction appended'),
          key: table.keyValue(k),
          ops: [op],
          evidence: facts(),
        }));
      } else if (table.status.data[writer] === FAIL) {
        this.#findings.add('G1a', () => ({
          message: say(`, whose append failed (operation ${table.op(writer)})`),
          key: table.keyValue(k),
          ops: [op, table.op(writer)],
          evidence: { ...facts(), reader: op, writer: table.op(writer) },
        }));
      }
    }
  }

  #intermediateRead(t: number, k: number, version: number): void {
    const table = this.#table;
    const writer = this.writers.of[version]!;
    this.#findings.add('G1b', () => {
      const [key, element] = [table.keyValue(k), table.versionValue(version)];
      return {
        message: `operation ${table.op(t)} read key ${showKey(key)} up to element ${show(element)}, in the middle of operation ${table.op(writer)}`,
        key,
        ops: [table.op(t), table.op(writer)],
        evidence: { key, element, reader: table.op(t), writer: table.op(writer) },
      };
    });
  }
}
