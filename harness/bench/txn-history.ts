import type { Op, OpType, Value } from '../../checker/index.ts';
import { type Random, seededRandom } from '../generator/random.ts';

/** What a history for measuring the transaction checkers is made of. */
export interface TxnHistoryOptions {
  readonly model: 'list-append' | 'rw-register';
  readonly seed: number;
  readonly transactions: number;
  readonly clients: number;
  /** Keys in use at any time; one is replaced by a new one after `writesPerKey` writes. */
  readonly activeKeys: number;
  readonly writesPerKey: number;
  /** Operations in one transaction: from 1 to this many. */
  readonly operationsMax: number;
  /** How many commits old a transaction's snapshot is: 0 is strictly serializable, up to this many otherwise. */
  readonly staleMax: number;
  /** Aborts a transaction that writes a key changed since its snapshot: then a stale history is snapshot isolation. */
  readonly firstCommitterWins: boolean;
}

interface Key {
  readonly name: number;
  readonly values: number[];
  /** By value: the number of the commit that wrote it. */
  readonly commits: number[];
}

/**
 * A history that a store could have produced, from a seed: transactions run one after the other at some moment
 * between their invocation and their completion, each on a snapshot. Within a transaction reads come first, and
 * no key is written twice.
 */
export function txnHistory(options: TxnHistoryOptions): Op[] {
  return new Store(options).run();
}

class Store {
  readonly #options: TxnHistoryOptions;
  readonly #random: Random;
  readonly #ops: Op[] = [];
  readonly #keys: Key[] = [];
  #keysMade = 0;
  #commits = 0;

  constructor(options: TxnHistoryOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed, 'txn-history');
    for (let i = 0; i < options.activeKeys; i++) this.#keys.push(this.#freshKey());
  }

  run(): Op[] {
    const { transactions, clients } = this.#options;
    const open: (boolean | undefined)[] = [];
    let invoked = 0;
    let completed = 0;
    while (completed < transactions) {
      const client = this.#random.below(clients);
      if (open[client]) {
        this.#complete(client);
        open[client] = false;
        completed++;
      } else if (invoked < transactions) {
        // What it will do is drawn when it does it; a checker reads the completion alone.
        this.#push('invoke', client, []);
        open[client] = true;
        invoked++;
      }
    }
    return this.#ops;
  }

  #complete(client: number): void {
    const { operationsMax, staleMax, firstCommitterWins, model } = this.#options;
    const snapshot = this.#commits - (staleMax === 0 ? 0 : 1 + this.#random.below(staleMax));
    const reads: Value[] = [];
    const writes: Key[] = [];
    for (let left = 1 + this.#random.below(operationsMax); left > 0; left--) {
      const key = this.#keys[this.#random.below(this.#keys.length)]!;
      if (this.#random.below(2) === 0) reads.push(['r', key.name, this.#read(key, snapshot)]);
      else if (!writes.includes(key)) writes.push(key);
    }
    const conflict = writes.some((key) => (key.commits.at(-1) ?? -1) > snapshot);
    if (firstCommitterWins && conflict) {
      this.#push('fail', client, []);
      return;
    }
    this.#commits++;
    const mops = writes.map((key): Value => {
      const value = key.values.length + 1;
      key.values.push(value);
      key.commits.push(this.#commits);
      return [model === 'list-append' ? 'append' : 'w', key.name, value];
    });
    this.#push('ok', client, [...reads, ...mops]);
    for (const key of writes) {
      if (key.values.length === this.#options.writesPerKey) this.#keys[this.#keys.indexOf(key)] = this.#freshKey();
    }
  }

  #read(key: Key, snapshot: number): Value {
    let length = key.commits.length;
    while (length > 0 && key.commits[length - 1]! > snapshot) length--;
    if (this.#options.model === 'list-append') return key.values.slice(0, length);
    return length === 0 ? null : key.values[length - 1]!;
  }

  #freshKey(): Key {
    return { name: this.#keysMade++, values: [], commits: [] };
  }

  #push(type: OpType, process: number, value: Value): void {
    const index = this.#ops.length;
    this.#ops.push({ index, time: index, process, type, f: 'txn', value });
  }
}
