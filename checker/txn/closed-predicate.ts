import type { Events } from '../history/events.ts';
import type { History, Value } from '../history/op.ts';
import { type Analysis, type Findings, type Reason, show, showKey } from './findings.ts';
import { type GraphBuilder, RW, RWP, WR, WW } from './graph.ts';
import { microOperation, readTransactions } from './read-transactions.ts';
import { FAIL, NONE, OK, READ, TransactionError, type Transactions, WRITE } from './transactions.ts';
import { findWriters, type Writers } from './writers.ts';

const MICRO_OPERATIONS = ['r', 'rp', 'w', 'insert', 'delete'];

/** What a deleted key has for a value. No history can hold it: JSON has no such thing as a name twice. */
const DEAD: Value = { dead: ['closed-predicate'] };
/** The version of a key before it was inserted. */
const UNBORN = -2;

interface PredicateRead {
  readonly transaction: number;
  readonly predicate: Value;
  /** What it found, and what it must have seen of the keys that it did not find. */
  readonly versions: Map<number, number>;
}

export interface ClosedPredicateHistory {
  readonly table: Transactions;
  readonly predicateReads: readonly PredicateRead[];
  /** The transaction that made the universe, if there was one. */
  readonly universe: number;
}

/**
 * Transactions over a universe that an operation `init` made (a map of keys to values): `["insert", k, v]`,
 * `["w", k, v]`, `["delete", k]`, `["r", k, v]`, and predicate reads `["rp", predicate, {k: v}]`.
 */
export function readClosedPredicate(history: History | Events): ClosedPredicateHistory {
  const predicateReads: PredicateRead[] = [];
  let universe = NONE;
  const table = readTransactions(history, {
    add(table, operations, { status, f: name }) {
      if (name === 'init') universe = table.count - 1;
      for (const mop of operations) {
        const [f, k, v] = microOperation(mop, MICRO_OPERATIONS);
        if (f === 'rp') {
          if (status !== OK) continue;
          const versions = new Map<number, number>();
          for (const [name, found] of Object.entries((v ?? {}) as { readonly [key: string]: Value })) {
            const key = table.keyOf(name);
            versions.set(key, table.versionOf(key, table.valueId(found)));
          }
          predicateReads.push({ transaction: table.count - 1, predicate: checkPredicate(k!), versions });
          continue;
        }
        // The keys of a map are strings, those of operations may be numbers.
        const key = table.keyOf(typeof k === 'string' ? k : JSON.stringify(k));
        if (f === 'r') {
          const isKnown = status === OK && v !== null && v !== undefined;
          table.read(key, isKnown ? table.versionOf(key, table.valueId(v)) : NONE);
        } else table.write(key, table.versionOf(key, table.valueId(f === 'delete' ? DEAD : v!)));
      }
    },
  });
  return { table, predicateReads, universe };
}

function checkPredicate(predicate: Value): Value {
  if (predicate === 'true' || predicate === true) return predicate;
  if (Array.isArray(predicate) && (predicate[0] === '=' || predicate[0] === 'mod')) return predicate;
  throw new TransactionError(
    `${show(predicate)} is no predicate: known are "true", ["=", value], ["mod", n, remainder]`,
  );
}

/**
 * What predicate reads tell when the universe is closed and every key is changed once at most: a key that was not
 * found must have been seen in its one version that does not match (Elle's `closed-predicate`). The version before
 * it was born and the one after it died match nothing.
 */
export class ClosedPredicate implements Analysis {
  readonly #table: Transactions;
  readonly #findings: Findings;
  readonly #graph: GraphBuilder;
  readonly #predicateReads: readonly PredicateRead[];
  readonly #writers: Writers;
  /** By key: its versions in order. */
  readonly #versions: number[][];

  constructor(history: ClosedPredicateHistory, findings: Findings, graph: GraphBuilder) {
    this.#table = history.table;
    this.#findings = findings;
    this.#graph = graph;
    this.#predicateReads = history.predicateReads;
    this.#writers = findWriters(this.#table);
    this.#versions = this.#orderVersions(history.universe);
    for (const read of this.#predicateReads) this.#select(read);
    this.#edges();
  }

  #orderVersions(universe: number): number[][] {
    const table = this.#table;
    const versions: number[][] = Array.from({ length: table.keys }, () => []);
    for (let t = 0; t < table.count; t++) {
      if (table.status.data[t] === FAIL) continue;
      for (const m of this.#operations(t, WRITE)) {
        const list = versions[table.key.data[m]!]!;
        // The operation that makes the universe leaves no time before it.
        if (list.length === 0 && t !== universe) list.push(UNBORN);
        list.push(table.version.data[m]!);
        if (list.length > 2) {
          const key = showKey(table.keyValue(table.key.data[m]!));
          throw new TransactionError(
            `key ${key} is changed more than once, so that the order of its versions is not known`,
          );
        }
      }
    }
    return versions;
  }

  #operations(t: number, kind: number): number[] {
    const { first, kind: kinds } = this.#table;
    const all: number[] = [];
    for (let m = first.data[t]!; m < first.data[t + 1]!; m++) if (kinds.data[m] === kind) all.push(m);
    return all;
  }

  #matches(predicate: Value, version: number): boolean {
    if (version === UNBORN) return false;
    const value = this.#table.versionValue(version);
    if (value === DEAD) return false;
    if (!Array.isArray(predicate)) return true;
    const [f, x, y] = predicate as readonly Value[];
    if (f === '=') return value === x;
    return typeof value === 'number' && ((value % Number(x)) + Number(x)) % Number(x) === y;
  }

  /** Adds what a predicate read must have seen of the keys that it did not find. */
  #select(read: PredicateRead): void {
    const table = this.#table;
    for (let k = 0; k < table.keys; k++) {
      if (read.versions.has(k) || this.#versions[k]!.length === 0) continue;
      const candidates = this.#versions[k]!.filter((version) => !this.#matches(read.predicate, version));
      if (candidates.length === 1) read.versions.set(k, candidates[0]!);
      if (candidates.length > 0) continue;
      // What it saw instead nobody can tell, so that it says nothing about the order.
      const key = table.keyValue(k);
      const op = table.op(read.transaction);
      const values = this.#versions[k]!.map((version) => table.versionValue(version));
      this.#findings.add('predicate-read-miss', () => ({
        message: `operation ${op} did not find key ${showKey(key)} by ${show(read.predicate)}, which each of its versions ${show(values)} matches`,
        key,
        ops: [op],
        evidence: { key, predicate: read.predicate, values },
      }));
    }
  }

  /** What a read saw; null may be a key not yet born or one that died. `NONE`: cannot be told. */
  #seen(m: number): number {
    const version = this.#table.version.data[m]!;
    if (version !== NONE) return version;
    const versions = this.#versions[this.#table.key.data[m]!]!;
    const unborn = versions[0] === UNBORN;
    const last = versions[versions.length - 1];
    const dead = last !== undefined && last !== UNBORN && this.#table.versionValue(last) === DEAD;
    return dead ? (unborn ? NONE : last) : UNBORN;
  }

  #writer(version: number): number {
    if (version === UNBORN || version === NONE) return NONE;
    const writer = this.#writers.of[version] ?? NONE;
    return writer === NONE || this.#table.status.data[writer] === FAIL ? NONE : writer;
  }

  /** The versions of a key after one of them. */
  #after(k: number, version: number): readonly number[] {
    const versions = this.#versions[k]!;
    const at = versions.indexOf(version);
    // A universe that was seen before it was made: everything came later.
    if (at < 0) return version === UNBORN ? versions : [];
    return versions.slice(at + 1);
  }

  #edges(): void {
    const table = this.#table;
    const link = (a: number, b: number, kind: number): void => {
      if (a !== NONE && b !== NONE) this.#graph.edge(a, b, kind);
    };
    for (const versions of this.#versions) {
      for (let i = 1; i < versions.length; i++) link(this.#writer(versions[i - 1]!), this.#writer(versions[i]!), WW);
    }
    for (let t = 0; t < table.count; t++) {
      if (table.status.data[t] !== OK) continue;
      for (const m of this.#operations(t, READ)) {
        const seen = this.#seen(m);
        link(this.#writer(seen), t, WR);
        if (seen !== NONE) link(t, this.#writer(this.#after(table.key.data[m]!, seen)[0] ?? NONE), RW);
      }
    }
    for (const { transaction, predicate, versions } of this.#predicateReads) {
      for (const [k, version] of versions) {
        link(this.#writer(version), transaction, WR);
        for (const later of this.#after(k, version)) {
          if (this.#matches(predicate, version) === this.#matches(predicate, later)) continue;
          link(transaction, this.#writer(later), RWP);
        }
      }
    }
  }

  #show(version: number): string {
    if (version === UNBORN) return 'not born yet';
    const value = this.#table.versionValue(version);
    return value === DEAD ? 'dead' : show(value);
  }

  reason(a: number, b: number, kind: number, nameA: string, nameB: string): Reason | undefined {
    const table = this.#table;
    const say = (k: number, because: string): Reason => ({
      because: `${because} (the versions of key ${showKey(table.keyValue(k))} are ${this.#versions[k]!.map((v) => this.#show(v)).join(', ')})`,
      facts: { key: table.keyValue(k) },
    });
    if (kind === WW) {
      for (const m of this.#operations(b, WRITE)) {
        const k = table.key.data[m]!;
        const versions = this.#versions[k]!;
        const at = versions.indexOf(table.version.data[m]!);
        if (at < 1 || this.#writer(versions[at - 1]!) !== a) continue;
        return say(
          k,
          `${nameB} made key ${showKey(table.keyValue(k))} ${this.#show(versions[at]!)} after ${nameA} made it ${this.#show(versions[at - 1]!)}`,
        );
      }
    }
    const reader = kind === WR ? b : a;
    for (const m of kind === RWP ? [] : this.#operations(reader, READ)) {
      const k = table.key.data[m]!;
      const seen = this.#seen(m);
      if (kind === WR && this.#writer(seen) === a) {
        return say(k, `${nameB} read key ${showKey(table.keyValue(k))} as ${nameA} made it: ${this.#show(seen)}`);
      }
      if (kind === RW && seen !== NONE && this.#writer(this.#after(k, seen)[0] ?? NONE) === b) {
        return say(
          k,
          `${nameA} read key ${showKey(table.keyValue(k))} as ${this.#show(seen)}, before ${nameB} changed it`,
        );
      }
    }
    for (const { transaction, predicate, versions } of kind === RW ? [] : this.#predicateReads) {
      if (transaction !== reader) continue;
      for (const [k, version] of versions) {
        const key = showKey(table.keyValue(k));
        if (kind === WR && this.#writer(version) === a) {
          return say(
            k,
            `${nameB}'s predicate read of ${show(predicate)} saw key ${key} as ${nameA} made it: ${this.#show(version)}`,
          );
        }
        const later = this.#after(k, version).find(
          (next) => this.#writer(next) === b && this.#matches(predicate, next) !== this.#matches(predicate, version),
        );
        if (kind === RWP && later !== undefined) {
          return say(
            k,
            `${nameA}'s predicate read of ${show(predicate)} saw key ${key} as ${this.#show(version)}, before ${nameB} made it ${this.#show(later)}, which changes what matches`,
          );
        }
      }
    }
    return undefined;
  }
}
