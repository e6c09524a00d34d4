import { Findings } from './findings.ts';
import { type Graph, GraphBuilder } from './graph.ts';
import { realtimeEdges } from './order.ts';
import { searchOrder } from './order-search.ts';
import { RwRegister } from './rw-register.ts';
import { Touches } from './touches.ts';
import { INFO, NONE, OK, type Transactions } from './transactions.ts';
import type { RegisterOptions } from './version-order.ts';
import { findWriters } from './writers.ts';

/**
 * An order in which transactions over registers, run one after the other, explain what they read; it keeps the edges
 * of a graph without cycles. Whether there is one is hard to decide (Papadimitriou, "The serializability of concurrent
 * database updates", 1979), and a graph without cycles does not promise it where the order of versions is only known in
 * part. So this runs the transactions, in order of completion as far as possible: one is next when the graph allows it,
 * the registers hold what it read, and nobody is still to read what it overwrites. First with everything assumed that
 * may order versions, which is so where each key is linearizable; then with what the graph says alone; and where that
 * comes to a dead end, and the transactions are few, by going back (`searchOrder`).
 *
 * @returns `undefined` when none was found, which does not mean that there is none
 */
export function serialOrder(table: Transactions, options: RegisterOptions, graph: Graph): number[] | undefined {
  const assumed = new GraphBuilder(table.count);
  const everything = { ...options, linearizableKeys: true, sequentialKeys: true, wfrKeys: true };
  new RwRegister(table, new Findings(), assumed, everything);
  realtimeEdges(table, assumed);
  const found = new Execution(table, assumed.build()).run();
  if (found !== undefined) return found;
  const execution = new Execution(table, graph);
  const before = execution.held.slice();
  return execution.run() ?? searchOrder(table, graph, execution.happened, before)?.map((t) => table.op(t));
}

/** Runs transactions one after the other. */
class Execution {
  readonly #table: Transactions;
  readonly #graph: Graph;
  readonly #touches: Touches;
  /** By transaction: 1 for one that completed, or whose writes were read. */
  readonly happened: Uint8Array;
  /** By vertex: edges from vertices that are still to come. */
  readonly #waits: Int32Array;
  /** By vertex: 1 when it can be tried; and no vertex before the first can. */
  readonly #ready: Uint8Array;
  #first = 0;
  /** By key: the version that it holds. */
  readonly held: Int32Array;
  /** By version: transactions still to come that read it. */
  readonly #readers: Int32Array;
  /** By key: transactions that need another version there, or must let others read it first. */
  readonly #parked = new Map<number, number[]>();

  constructor(table: Transactions, graph: Graph) {
    this.#table = table;
    this.#graph = graph;
    this.#touches = new Touches(table, new Findings());
    this.happened = Uint8Array.from(table.status.data.subarray(0, table.count), (status) => Number(status === OK));
    this.#waits = new Int32Array(graph.size);
    for (const to of graph.target) this.#waits[to]!++;
    this.#ready = Uint8Array.from(this.#waits, (edges) => Number(edges === 0));
    this.held = new Int32Array(table.keys).fill(NONE);
    this.#readers = new Int32Array(table.versions);
    const writers = findWriters(table).of;
    const { read, key, transaction, length } = this.#touches;
    for (let i = 0; i < length; i++) {
      const version = read.data[i]!;
      if (version === NONE || table.status.data[transaction.data[i]!] !== OK) continue;
      this.#readers[version]!++;
      // What nobody wrote was there before.
      if (writers[version] === NONE) this.held[key.data[i]!] = version;
      else if (table.status.data[writers[version]!] === INFO) this.happened[writers[version]!] = 1;
    }
  }

  /** The positions of the transactions; `undefined` when some could not be run. */
  run(): number[] | undefined {
    const order: number[] = [];
    for (let v = this.#next(); v !== NONE; v = this.#next()) {
      const isRun = v < this.#table.count && this.happened[v] === 1;
      const key = isRun ? this.#obstacle(v) : undefined;
      if (key !== undefined) {
        const others = this.#parked.get(key);
        if (others === undefined) this.#parked.set(key, [v]);
        else others.push(v);
        continue;
      }
      if (isRun) {
        this.#execute(v);
        order.push(this.#table.op(v));
      }
      for (let e = this.#graph.start[v]!; e < this.#graph.start[v + 1]!; e++) {
        const to = this.#graph.target[e]!;
        if (--this.#waits[to]! === 0) this.#release(to);
      }
    }
    return order.length === this.happened.reduce((sum, one) => sum + one, 0) ? order : undefined;
  }

  #release(v: number): void {
    this.#ready[v] = 1;
    this.#first = Math.min(this.#first, v);
  }

  #next(): number {
    const v = this.#ready.indexOf(1, this.#first);
    if (v === NONE) return NONE;
    this.#ready[v] = 0;
    this.#first = v + 1;
    return v;
  }

  /** A key at which the transaction cannot run now. */
  #obstacle(t: number): number | undefined {
    const { start, key, read, write } = this.#touches;
    for (let i = start[t]!; i < start[t + 1]!; i++) {
      const [k, wanted] = [key.data[i]!, read.data[i]!];
      const held = this.held[k]!;
      if (wanted !== NONE && wanted !== held) return k;
      if (write.data[i] === NONE || held === NONE) continue;
      if (this.#readers[held]! > Number(wanted !== NONE)) return k;
    }
    return undefined;
  }

  #execute(t: number): void {
    const { start, key, read, write } = this.#touches;
    for (let i = start[t]!; i < start[t + 1]!; i++) {
      const [k, version] = [key.data[i]!, read.data[i]!];
      if (version !== NONE) this.#readers[version]!--;
      if (write.data[i] !== NONE) this.held[k] = write.data[i]!;
      for (const other of this.#parked.get(k) ?? []) this.#release(other);
      this.#parked.delete(k);
    }
  }
}
