import { show, showKey } from './findings.ts';
import { FAIL, NONE, TransactionError, type Transactions, WRITE } from './transactions.ts';

/** Who wrote each version of a history. */
export interface Writers {
  /** By version: the transaction, or `NONE`. One that failed only when no other can have written it. */
  readonly of: Int32Array;
  /** By version: 1 when the same transaction wrote the key again later. */
  readonly intermediate: Uint8Array;
}

/**
 * Finds each version's writer.
 *
 * @throws TransactionError when two transactions that may have taken effect wrote the same value to a key: then
 * nothing can be concluded from a read of it.
 */
export function findWriters(table: Transactions): Writers {
  const of = new Int32Array(table.versions).fill(NONE);
  const intermediate = new Uint8Array(table.versions);
  const [status, first, kind, version, previous] = [
    table.status.data,
    table.first.data,
    table.kind.data,
    table.version.data,
    table.previous.data,
  ];
  for (let t = 0; t < table.count; t++) {
    for (let m = first[t]!; m < first[t + 1]!; m++) {
      if (kind[m] !== WRITE) continue;
      const v = version[m]!;
      const other = of[v]!;
      if (other === NONE || status[other] === FAIL) of[v] = t;
      else if (status[t] !== FAIL) {
        const [key, value] = [showKey(table.keyValue(table.versionKey.data[v]!)), show(table.versionValue(v))];
        throw new TransactionError(
          `operations ${table.op(other)} and ${table.op(t)} both wrote ${value} to key ${key}: values must be unique for each key`,
        );
      }
      let before = previous[m]!;
      while (before !== NONE && kind[before] !== WRITE) before = previous[before]!;
      if (before !== NONE) intermediate[version[before]!] = 1;
    }
  }
  return { of, intermediate };
}
