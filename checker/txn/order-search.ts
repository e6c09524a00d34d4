import { Findings } from './findings.ts';
import type { Graph } from './graph.ts';
import { Touches } from './touches.ts';
import { NONE, OK, type Transactions } from './transactions.ts';

/** Bounds on what is searched: transactions, and places that the search comes to. */
const TRANSACTIONS_MAX = 512;
const PLACES_MAX = 50_000;

/**
 * Looks for an order of few transactions over registers that keeps the edges of a graph and explains what they read,
 * going back where it cannot go on. A place that was left in vain, with the same transactions done and the same
 * values held, is not tried again.
 *
 * @param happened by transaction: 1 for one that has to be in the order
 * @param held by key: the version before all transactions, or `NONE`
 * @returns transactions; `undefined` when there is no order, or none was found within the bounds
 */
export function searchOrder(
  table: Transactions,
  graph: Graph,
  happened: Uint8Array,
  held: Int32Array,
): number[] | undefined {
  const members = Array.from({ length: table.count }, (_, t) => t).filter((t) => happened[t] === 1);
  if (members.length > TRANSACTIONS_MAX) return undefined;
  return new OrderSearch(table, graph, members, held).run();
}

class OrderSearch {
  readonly #members: readonly number[];
  readonly #touches: Touches;
  /** By transaction: which must come before it. */
  readonly #before = new Map<number, Set<number>>();
  readonly #held: Int32Array;
  readonly #done = new Set<number>();
  /** By version: transactions still to come that read it. */
  readonly #readers: Int32Array;
  readonly #inVain = new Set<string>();

  constructor(table: Transactions, graph: Graph, members: readonly number[], held: Int32Array) {
    this.#members = members;
    this.#touches = new Touches(table, new Findings());
    this.#held = held.slice();
    this.#readers = new Int32Array(table.versions);
    for (const t of members) this.#before.set(t, new Set());
    for (const t of members) {
      for (const after of reachable(graph, t)) this.#before.get(after)?.add(t);
      if (table.status.data[t] !== OK) continue;
      for (const version of this.#reads(t)) this.#readers[version]!++;
    }
  }

  run(): number[] | undefined {
    const order: number[] = [];
    return this.#goOn(order) ? order : undefined;
  }

  #goOn(order: number[]): boolean {
    if (order.length === this.#members.length) return true;
    const place = `${this.#members.map((t) => Number(this.#done.has(t))).join('')} ${this.#held.join()}`;
    if (this.#inVain.has(place) || this.#inVain.size >= PLACES_MAX) return false;
    for (const t of this.#members) {
      if (this.#done.has(t) || !this.#mayRun(t)) continue;
      const before = this.#run(t);
      order.push(t);
      if (this.#goOn(order)) return true;
      order.pop();
      this.#undo(t, before);
    }
    this.#inVain.add(place);
    return false;
  }

  #mayRun(t: number): boolean {
    for (const other of this.#before.get(t)!) if (!this.#done.has(other)) return false;
    const { start, key, read, write } = this.#touches;
    for (let i = start[t]!; i < start[t + 1]!; i++) {
      const held = this.#held[key.data[i]!]!;
      const wanted = read.data[i]!;
      if (wanted !== NONE && wanted !== held) return false;
      // Nobody is still to read what it overwrites.
      if (write.data[i] !== NONE && held !== NONE && this.#readers[held]! > Number(wanted !== NONE)) return false;
    }
    return true;
  }

  /** Runs a transaction; gives what its keys held before. */
  #run(t: number): number[] {
    const { start, key, write } = this.#touches;
    const before: number[] = [];
    for (let i = start[t]!; i < start[t + 1]!; i++) {
      before.push(this.#held[key.data[i]!]!);
      if (write.data[i] !== NONE) this.#held[key.data[i]!] = write.data[i]!;
    }
    for (const version of this.#reads(t)) this.#readers[version]!--;
    this.#done.add(t);
    return before;
  }

  #undo(t: number, before: readonly number[]): void {
    const { start, key } = this.#touches;
    for (const [i, version] of before.entries()) this.#held[key.data[start[t]! + i]!] = version;
    for (const version of this.#reads(t)) this.#readers[version]!++;
    this.#done.delete(t);
  }

  *#reads(t: number): Generator<number> {
    const { start, read } = this.#touches;
    for (let i = start[t]!; i < start[t + 1]!; i++) if (read.data[i] !== NONE) yield read.data[i]!;
  }
}

/** The vertices that a vertex leads to. */
function reachable({ start, target }: Graph, from: number): Set<number> {
  const found = new Set<number>();
  const open = [from];
  for (let v = open.pop(); v !== undefined; v = open.pop()) {
    for (let e = start[v]!; e < start[v + 1]!; e++) {
      if (found.has(target[e]!)) continue;
      found.add(target[e]!);
      open.push(target[e]!);
    }
  }
  return found;
}
