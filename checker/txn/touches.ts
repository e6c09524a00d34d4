import { Column } from './column.ts';
import { type Findings, show, showKey } from './findings.ts';
import { FAIL, NONE, OK, READ, type Transactions, WRITE } from './transactions.ts';

/**
 * What transactions did to registers: one entry for each key of each transaction that may have taken effect, with
 * the version that it read before any own write, and the one it left behind. Finds reads that contradict what their
 * own transaction did before.
 */
export class Touches {
  readonly transaction: Column;
  readonly key: Column;
  /** `NONE` when it did not read, or not before it wrote. */
  readonly read: Column;
  /** `NONE` when it did not write. */
  readonly write: Column;
  /** By transaction: its first entry. */
  readonly start: Int32Array;
  readonly #table: Transactions;
  /** The number of the value null. */
  readonly #nullId: number;
  /** By key: its entries. Made when it is asked for. */
  #byKey: number[][] | undefined;

  constructor(table: Transactions, findings: Findings) {
    this.#table = table;
    this.#nullId = table.valueId(null);
    const operations = table.kind.length;
    this.transaction = new Column(operations);
    this.key = new Column(operations);
    this.read = new Column(operations);
    this.write = new Column(operations);
    this.start = new Int32Array(table.count + 1);
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
      this.start[t] = this.length;
      if (status[t] === FAIL) continue;
      let isInternal = false;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        const k = key[m]!;
        if (previous[m] === NONE) {
          current[k] = this.length;
          this.transaction.push(t);
          this.key.push(k);
          this.read.push(kind[m] === READ ? version[m]! : NONE);
          this.write.push(NONE);
        } else if (kind[m] === READ && status[t] === OK && version[m] !== version[previous[m]!] && !isInternal) {
          isInternal = true;
          internal(table, findings, t, m);
        }
        if (kind[m] === WRITE) this.write.data[current[k]!] = version[m]!;
      }
    }
    this.start[table.count] = this.length;
  }

  get length(): number {
    return this.key.length;
  }

  /**
   * The version that a transaction met first at a key. When it read null and wrote, that is what it wrote: a stale
   * read of null is a matter of dependencies, as in Elle, and not of the order of versions.
   */
  firstMet(touch: number): number {
    const [read, write] = [this.read.data[touch]!, this.write.data[touch]!];
    return read === NONE || (write !== NONE && this.#table.versionValueId(read) === this.#nullId) ? write : read;
  }

  /** The version that it left there. */
  left(touch: number): number {
    const write = this.write.data[touch]!;
    return write === NONE ? this.read.data[touch]! : write;
  }

  /** Whether a transaction read a version that it had not written itself. */
  hasRead(t: number, version: number): boolean {
    for (let i = this.start[t]!; i < this.start[t + 1]!; i++) if (this.read.data[i] === version) return true;
    return false;
  }

  ofKey(k: number): readonly number[] {
    if (this.#byKey === undefined) {
      this.#byKey = [];
      for (let i = 0; i < this.length; i++) {
        const list = this.#byKey[this.key.data[i]!];
        if (list) list.push(i);
        else this.#byKey[this.key.data[i]!] = [i];
      }
    }
    return this.#byKey[k] ?? [];
  }
}

function internal(table: Transactions, findings: Findings, t: number, m: number): void {
  findings.add('internal', () => {
    const key = table.keyValue(table.key.data[m]!);
    const value = table.versionValue(table.version.data[m]!);
    const expected = table.versionValue(table.version.data[table.previous.data[m]!]!);
    return {
      message: `operation ${table.op(t)} read ${show(value)} from key ${showKey(key)}; after its own operations it had to be ${show(expected)}`,
      key,
      ops: [table.op(t)],
      evidence: { key, value, expected },
    };
  });
}
