import type { Value } from '../history/op.ts';
import { type Findings, lostUpdate, show, showKey, showList } from './findings.ts';
import type { ListReads } from './list-reads.ts';
import type { ListVersions } from './list-versions.ts';
import { FAIL, INFO, NONE, OK, READ, type Transactions, WRITE } from './transactions.ts';

/**
 * Finds what is wrong with a single transaction over lists, or with those that started from the same version: it
 * contradicts itself, read what it appended later, appended out of order, lost an update, built on what failed.
 */
export function checkInside(table: Transactions, reads: ListReads, versions: ListVersions, findings: Findings): void {
  const inside = new Inside(table, reads, versions, findings);
  inside.transactions();
  inside.dirtyUpdates();
}

class Inside {
  readonly #table: Transactions;
  readonly #reads: ListReads;
  readonly #versions: ListVersions;
  readonly #findings: Findings;

  constructor(table: Transactions, reads: ListReads, versions: ListVersions, findings: Findings) {
    this.#table = table;
    this.#reads = reads;
    this.#versions = versions;
    this.#findings = findings;
  }

  transactions(): void {
    const table = this.#table;
    const [status, first, kind, previous] = [table.status.data, table.first.data, table.kind.data, table.previous.data];
    const updates = new Updates(table, this.#reads, this.#versions);
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
        if (this.#readEarlier(m)) this.#futureRead(t, m);
        // The first append after the transaction's first read of the key.
        if (kind[before] === READ && previous[before] === NONE) updates.add(t, before);
      }
    }
    for (const { read, transactions } of updates.lost()) {
      const k = table.key.data[read]!;
      lostUpdate(table, this.#findings, k, this.#reads.list(read, table), transactions);
    }
  }

  #futureRead(t: number, m: number): void {
    const table = this.#table;
    this.#findings.add('future-read', () => {
      const [key, element] = [table.keyValue(table.key.data[m]!), table.versionValue(table.version.data[m]!)];
      return {
        message: `operation ${table.op(t)} read element ${show(element)} of key ${showKey(key)} before it appended it`,
        key,
        ops: [table.op(t)],
        evidence: { key, element },
      };
    });
  }

  /** What a transaction appended to one key must stand there in that order, without gaps. */
  #ownOrder(t: number, m: number): void {
    const table = this.#table;
    let before = table.previous.data[m]!;
    while (before !== NONE && table.kind.data[before] === READ) before = table.previous.data[before]!;
    if (before === NONE) return;
    const { place } = this.#versions;
    const [a, b] = [table.version.data[before]!, table.version.data[m]!];
    const [placeA, placeB] = [place[a]!, place[b]!];
    if (placeB === NONE || (placeA === NONE ? this.#versions.isStray(a) : placeA < placeB)) return;
    const found = placeA === NONE ? 'only the second was ever read' : 'they were read the other way round';
    this.#findings.add('cyclic-versions', () => {
      const [key, values] = [table.keyValue(table.key.data[m]!), [table.versionValue(a), table.versionValue(b)]];
      return {
        message: `operation ${table.op(t)} appended ${show(values[0]!)} and then ${show(values[1]!)} to key ${showKey(key)}; ${found}`,
        key,
        ops: [table.op(t)],
        evidence: { key, values },
      };
    });
  }

  /** Whether an element was in a list that its own transaction read before it appended it. */
  #readEarlier(m: number): boolean {
    const [table, reads] = [this.#table, this.#reads];
    const version = table.version.data[m]!;
    for (let before = table.previous.data[m]!; before !== NONE; before = table.previous.data[before]!) {
      if (table.kind.data[before] !== READ) continue;
      if (this.#versions.isSound(before)) {
        const place = this.#versions.place[version]!;
        if (place !== NONE && place <= this.#versions.seen[before]!) return true;
        continue;
      }
      const element = table.versionValueId(version);
      for (let at = 0; at < reads.length.data[before]!; at++) if (reads.elementOf(before, at) === element) return true;
    }
    return false;
  }

  /** A read must show what the transaction itself read last, and appended since (the axiom INT of Cerone et al.). */
  #internal(t: number, m: number): void {
    const [table, reads] = [this.#table, this.#reads];
    let at = reads.length.data[m]!;
    let before = table.previous.data[m]!;
    let fits = true;
    for (; before !== NONE && table.kind.data[before] === WRITE; before = table.previous.data[before]!) {
      at--;
      fits &&= at >= 0 && reads.elementOf(m, at) === table.versionValueId(table.version.data[before]!);
    }
    if (fits && (before === NONE || (reads.length.data[before] === at && reads.isBeginning(before, m)))) return;
    this.#findings.add('internal', () => {
      const [key, list] = [table.keyValue(table.key.data[m]!), reads.list(m, table)];
      const own: Value[] = [];
      for (let w = table.previous.data[m]!; w !== before; w = table.previous.data[w]!) {
        own.unshift(table.versionValue(table.version.data[w]!));
      }
      const expected = [...(before === NONE ? ['…'] : reads.list(before, table)), ...own];
      return {
        message: `operation ${table.op(t)} read key ${showKey(key)} as ${showList(list)}; after its own operations it had to be ${showList(expected)}`,
        key,
        ops: [table.op(t)],
        evidence: { key, expected, list },
      };
    });
  }

  /** A committed append on top of one that failed. */
  dirtyUpdates(): void {
    const table = this.#table;
    const { order, start, writers } = this.#versions;
    for (let k = 0; k < table.keys; k++) {
      let failed = NONE;
      for (let at = start[k]!; at < start[k + 1]!; at++) {
        const version = order.data[at]!;
        const t = writers.of[version] ?? NONE;
        if (t === NONE || table.status.data[t] === INFO) continue;
        if (table.status.data[t] === FAIL) {
          if (failed === NONE) failed = version;
        } else if (failed !== NONE) {
          this.#dirtyUpdate(k, failed, version);
          failed = NONE;
        }
      }
    }
  }

  #dirtyUpdate(k: number, failed: number, version: number): void {
    const table = this.#table;
    const [aborted, t] = [this.#versions.writers.of[failed]!, this.#versions.writers.of[version]!];
    this.#findings.add('dirty-update', () => {
      const [key, values] = [table.keyValue(k), [table.versionValue(failed), table.versionValue(version)]];
      return {
        message: `operation ${table.op(t)} appended ${show(values[1]!)} to key ${showKey(key)} on top of ${show(values[0]!)}, whose append failed (operation ${table.op(aborted)})`,
        key,
        ops: [table.op(aborted), table.op(t)],
        evidence: { key, values },
      };
    });
  }
}

interface Lost {
  /** A read of the version that all of them started from. */
  readonly read: number;
  readonly transactions: number[];
}

/** Transactions that read the same list from a key and went on to append to the key. */
class Updates {
  readonly #table: Transactions;
  readonly #reads: ListReads;
  readonly #versions: ListVersions;
  /** By the last version that was read, or by key for the empty list: the read. */
  readonly #ofVersion: Int32Array;
  readonly #ofEmpty: Int32Array;
  /** Lists that are no beginning of their key's longest one, by what is in them. */
  readonly #ofOthers = new Map<string, number>();
  readonly #lost = new Map<number, Lost>();

  constructor(table: Transactions, reads: ListReads, versions: ListVersions) {
    this.#table = table;
    this.#reads = reads;
    this.#versions = versions;
    this.#ofVersion = new Int32Array(table.versions).fill(NONE);
    this.#ofEmpty = new Int32Array(table.keys).fill(NONE);
  }

  add(t: number, read: number): void {
    const earlier = this.#exchange(read);
    if (earlier === NONE) return;
    const lost = this.#lost.get(earlier);
    if (lost) lost.transactions.push(t);
    else this.#lost.set(earlier, { read: earlier, transactions: [this.#table.transactionOf(earlier), t] });
  }

  /** The first read of the same list; `NONE` when it is this one. */
  #exchange(read: number): number {
    const { version, key } = this.#table;
    if (this.#reads.length.data[read] !== 0 && !this.#versions.isSound(read)) {
      const name = JSON.stringify([key.data[read], this.#reads.list(read, this.#table)]);
      const earlier = this.#ofOthers.get(name);
      if (earlier === undefined) this.#ofOthers.set(name, read);
      return earlier ?? NONE;
    }
    const isEmpty = version.data[read] === NONE;
    const slots = isEmpty ? this.#ofEmpty : this.#ofVersion;
    const slot = isEmpty ? key.data[read]! : version.data[read]!;
    const earlier = slots[slot]!;
    if (earlier === NONE) slots[slot] = read;
    return earlier;
  }

  lost(): Iterable<Lost> {
    return this.#lost.values();
  }
}
