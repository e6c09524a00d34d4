import type { Events } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import { type Analysis, type Findings, type Reason, show, showKey, showList } from './findings.ts';
import { type GraphBuilder, RW, WR, WW } from './graph.ts';
import { checkInside } from './list-inside.ts';
import { ListReads } from './list-reads.ts';
import { ListVersions, UNPLACED } from './list-versions.ts';
import { overtakenBy } from './overtaken.ts';
import { microOperation, readTransactions } from './read-transactions.ts';
import { FAIL, NONE, OK, READ, TransactionError, type Transactions, WRITE } from './transactions.ts';

const MICRO_OPERATIONS = ['append', 'r'];

/** A history of transactions over lists. */
export interface ListAppendHistory {
  readonly table: Transactions;
  readonly reads: ListReads;
}

/** Transactions of `["append", key, element]` and `["r", key, list or null]`. */
export function readListAppend(history: History | Events): ListAppendHistory {
  const reads = new ListReads(history.length);
  const table = readTransactions(history, {
    fast: { write: 'append', lists: reads },
    add(table, operations, { status, at }) {
      for (const mop of operations) {
        const parts = microOperation(mop, MICRO_OPERATIONS);
        const [f, k, v] = [parts[0], parts[1], parts[2] ?? null];
        const key = table.keyOf(k!);
        if (f === 'append') {
          table.write(key, table.versionOf(key, table.valueId(v)));
          continue;
        }
        if (status === OK) {
          if (v !== null && !Array.isArray(v)) {
            throw new TransactionError(`operation ${at} read ${show(v)} from key ${showKey(k!)}: not a list`);
          }
          reads.start(key);
          for (const element of (v ?? []) as readonly Value[]) reads.element(table.valueId(element));
          reads.end(table.kind.length);
        }
        table.read(key, NONE);
      }
    },
  });
  reads.finish(table);
  return { table, reads };
}

/** What reads of lists tell (Kingsbury & Alvaro, "Elle", VLDB 2020, section 4): who came before whom, and why. */
export class ListAppend implements Analysis {
  readonly #table: Transactions;
  readonly #reads: ListReads;
  readonly #graph: GraphBuilder;
  readonly #versions: ListVersions;

  constructor({ table, reads }: ListAppendHistory, findings: Findings, graph: GraphBuilder) {
    this.#table = table;
    this.#reads = reads;
    this.#graph = graph;
    this.#versions = new ListVersions(table, reads, findings);
    checkInside(table, reads, this.#versions, findings);
    this.#edges();
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
    const { place, start, seen: seenPlace } = this.#versions;
    const order = this.#versions.order.data;
    const lastWriter = new Int32Array(table.keys).fill(NONE);
    for (let k = 0; k < table.keys; k++) {
      let before = NONE;
      for (let at = start[k]!; at < start[k + 1]!; at++) {
        const writer = this.#versions.committedWriter(order[at]!);
        if (before !== NONE && writer !== NONE) graph.edge(before, writer, WW);
        before = writer;
      }
      lastWriter[k] = before;
    }
    const unread: number[][] = Array.from({ length: table.keys });
    for (let t = 0; t < table.count; t++) {
      if (status[t] === FAIL) continue;
      for (let m = first[t]!; m < first[t + 1]!; m++) {
        if (kind[m] !== WRITE || place[version[m]!] !== NONE || this.#versions.isStray(version[m]!)) continue;
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
        const writer = seen === NONE ? NONE : this.#versions.committedWriter(seen);
        if (writer === t) continue;
        if (writer !== NONE) graph.edge(writer, t, WR);
        if (seenPlace[m] === UNPLACED) continue;
        const next = start[k]! + seenPlace[m]! + 1;
        if (next < start[k + 1]!) {
          const overtaker = this.#versions.committedWriter(order[next]!);
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

  reason(a: number, b: number, kind: number, nameA: string, nameB: string): Reason | undefined {
    const [table, versions] = [this.#table, this.#versions];
    const operations = (t: number, of: number): number[] => {
      const all: number[] = [];
      for (let m = table.first.data[t]!; m < table.first.data[t + 1]!; m++) if (table.kind.data[m] === of) all.push(m);
      return all;
    };
    if (kind === WR) {
      for (const m of operations(b, READ)) {
        const version = table.version.data[m]!;
        if (version === NONE || versions.committedWriter(version) !== a) continue;
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
      const place = versions.place[version]!;
      const before = (place === NONE ? versions.count(k) : place) - 1;
      const previous = before < 0 ? NONE : versions.order.data[versions.start[k]! + before]!;
      if (place === NONE && versions.isStray(version)) continue;
      const append = `${nameB}'s append of ${show(value)}`;
      const unread = `${append}, which nobody ever read, so that it came after all that were read`;
      if (kind === WW) {
        if (previous === NONE || versions.committedWriter(previous) !== a) continue;
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
        if (table.key.data[m] !== k || versions.seen[m] !== before) continue;
        const list = this.#reads.list(m, table);
        return {
          because: `${nameA} read key ${showKey(key)} as ${showList(list)}, without ${place === NONE ? unread : append}`,
          facts: { key, value: previous === NONE ? null : table.versionValue(previous), next: value },
        };
      }
    }
    return undefined;
  }
}
